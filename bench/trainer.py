"""Our side of `bench.training`: the stage `train` of a recipe, run as a user runs it.

What it starts from (backbone, tokens) stays in the store; the trained model is removed once its figures are read.
"""

import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bench.passages import end_token
from bench.peers.arguments import arguments
from bench.peers.marks import Marks
from regraft.core import Execution, RawFiles, Step, Store, Ticker, run
from regraft.corpus.ingest import IngestConfig, ingest
from regraft.corpus.jsonlines import JsonLines
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.lm.backbone import BackboneConfig, import_backbone
from regraft.mixture.shares import Group, Mixture, Source
from regraft.training.schedules import WarmupStable
from regraft.training.train import TrainConfig, ValidationConfig, train

SOURCE = "passages"


class MarkSteps:
    """Progress that notes the steps of a training."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.trains = False

    def track(self, label: str, total: float, unit: str, done: float = 0) -> Ticker:
        self.trains = label == "train"
        return self

    def advance(self, amount: float = 1, note: str = "") -> None:
        if self.trains:
            self.marks.step_ends()

    def finish(self, ticker: Ticker) -> None:
        self.trains = False


def recipe(given: Namespace) -> Step[Any]:
    """Return the training of the model on its passages."""
    model = our_model(given)
    tokens = {name: tokens_of(given, name, model, documents(given, name)) for name in ("documents", "held_out")}
    return train.step("train", our_config(given), model=model, tokens=tokens["documents"], held_out=tokens["held_out"])


def our_config(given: Namespace) -> TrainConfig:
    """Return the training that the peers do too: constant rate, AdamW (0.9, 0.95), clip 1, no decisions."""
    return TrainConfig(
        tokens=given.steps * given.rows * 512,
        mixture=Mixture(groups=(Group(name="all", share=1.0, sources=(Source(name=SOURCE, share=1.0),)),)),
        schedule=WarmupStable(peak=given.rate),
        num_decisions=0,
        validation=ValidationConfig(tokens_per_stream=256, tokens_per_document=64),
        sequence_length=512,
        sequences_per_step=given.rows,
        precision=given.precision,
    )


def our_execution(given: Namespace) -> Execution:
    """Return the means: one micro-batch a step, and no checkpoint on the way, as with the peers."""
    return Execution(
        workers=1,
        cache=given.work / "cache",
        checkpoint_seconds=1e9,
        compile="on" if given.compile else "off",
        sequences_per_batch=given.rows,
    )


def our_model(given: Namespace) -> Step[Any]:
    """Return the model as an artifact."""
    folder = RawFiles(root=str(given.model.resolve()), pattern="*")
    return import_backbone.step("backbone", BackboneConfig(folder=folder))


def documents(given: Namespace, name: str) -> Step[Any]:
    """Return a file of passages, read."""
    files = RawFiles(root=str(given.passages.resolve()), pattern=f"{name}.jsonl")
    return ingest.step(name, IngestConfig(source=SOURCE, language="en", reader=JsonLines(id="id"), files=files))


def tokens_of(
    given: Namespace, name: str, model: Step[Any], docs: Step[Any], topics: Step[Any] | None = None
) -> Step[Any]:
    """Return passages as tokens: one row each."""
    ends = TokenizeConfig(begin_token="", end_token=end_token(given.model))
    return tokenize.step(f"tokens/{name}", ends, docs=docs, model=model, topics=topics)


def main() -> None:
    given = arguments(__doc__)
    marks, store = Marks(), Store(given.work / "store")
    step = recipe(given)
    done = run([step], store, our_execution(given), progress=MarkSteps(marks))
    made: Path = store.path(done.steps[step.name])
    marks.losses = pq.read_table(made / "steps.parquet")["loss"].to_pylist()
    shutil.rmtree(made)
    marks.write(given.out)


if __name__ == "__main__":
    main()
