"""Our side of `bench.training_overhead`: the training of `bench.trainer` with all that regraft adds to a plain loop.

Twenty topics, their held-out loss at every decision, and the controller of the paper; with `--decisions 0` one stream
and nothing to decide. Everything is logged either way.
"""

import shutil
from argparse import Namespace
from dataclasses import dataclass, replace
from typing import Any

from bench.peers.arguments import parser
from bench.peers.marks import Marks
from bench.trainer import SOURCE, MarkSteps, documents, our_config, our_execution, our_model, tokens_of
from regraft.core import Context, Kind, Metrics, Step, Store, run, stage
from regraft.corpus import tables
from regraft.mixture.controllers import Fixed, TopicPerplexity
from regraft.training.train import TrainConfig, ValidationConfig, train

TOPICS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicsConfig:
    """How many topics there are."""

    count: int


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def topics_in_turn(config: TopicsConfig, ctx: Context) -> Metrics:
    """Label the documents with the topics in turn."""
    corpus = ctx.input("docs").path
    shards = tables.shards(corpus, tables.DOCUMENTS_FOLDER)
    ids = [id_ for shard in shards for id_ in tables.read(shard, tables.DOCUMENTS, ["id"])["id"].to_pylist()]
    rows = [{"id": id_, "topic": f"topic {i % config.count}", "probability": 1.0} for i, id_ in enumerate(ids)]
    tables.write(ctx.out / tables.ANNOTATION_FILE, tables.table_of(rows, tables.TOPICS), tables.TOPICS)
    return {"documents": len(rows)}


def recipe(given: Namespace) -> Step[Any]:
    """Return the training, steered as often as is asked for."""
    model = our_model(given)
    tokens = {name: _tokens(given, name, model) for name in ("documents", "held_out")}
    return train.step("train", _config(given), model=model, tokens=tokens["documents"], held_out=tokens["held_out"])


def _tokens(given: Namespace, name: str, model: Step[Any]) -> Step[Any]:
    docs = documents(given, name)
    topics = topics_in_turn.step(f"topics/{name}", TopicsConfig(count=TOPICS if given.decisions else 1), docs=docs)
    return tokens_of(given, name, model, docs, topics)


def _config(given: Namespace) -> TrainConfig:
    return replace(
        our_config(given),
        num_decisions=given.decisions,
        controller=TopicPerplexity() if given.decisions else Fixed(),
        controlled_sources=(SOURCE,) if given.decisions else (),
        validation=ValidationConfig(),
    )


def main() -> None:
    asked = parser(__doc__)
    asked.add_argument("--decisions", type=int, required=True)
    given = asked.parse_args()
    marks, store = Marks(), Store(given.work / "store")
    step = recipe(given)
    done = run([step], store, our_execution(given), progress=MarkSteps(marks))
    shutil.rmtree(store.path(done.steps[step.name]))
    marks.write(given.out)


if __name__ == "__main__":
    main()
