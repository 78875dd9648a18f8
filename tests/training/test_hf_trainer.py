"""The loop against the Trainer of Transformers: the same packed batches give the same losses, step by step."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, Trainer, TrainingArguments

from regraft.core import Artifact, Execution, RawFiles, Step, Store, run
from regraft.corpus import tables
from regraft.corpus.ingest import HtmlPages, IngestConfig, ingest
from regraft.corpus.tokens import TokenizeConfig, TokenStore, tokenize
from regraft.curation.extraction.extract import ExtractConfig, extract_text
from regraft.lm.load import load_model
from regraft.mixture.shares import Group, Mixture, Source
from regraft.recipes import SAMPLES
from regraft.training.optimizer import AdamW
from regraft.training.schedules import WarmupStable
from regraft.training.train import TrainConfig, ValidationConfig, train
from tests.smollm2 import smollm2_step
from tests.training.conftest import training

MEANS = Execution(workers=1, sequences_per_batch=2, compile="off", attention="sdpa")
"""The attention of the Trainer: `packed` sums in another order, which training carries on to 3e-5 after 50 steps."""


class Rows(torch.utils.data.IterableDataset[dict[str, torch.Tensor]]):
    """What our training was served, in the form that Transformers asks for: labels under their own tokens."""

    def __init__(self, trained: Artifact, store: Store, length: int) -> None:
        tokens = {i.artifact for i in trained.manifest.inputs if i.role == "tokens"}
        stores = [TokenStore.open(store.root / name) for name in sorted(tokens)]
        self.length, self.rows = length, dict[tuple[int, str, int], list[list[int]]]()
        found = {id_: (s, row) for s in stores for row, id_ in enumerate(s.ids)}
        for piece in tables.read(trained.file(tables.SERVED_FILE), tables.SERVED).to_pylist():
            s, row = found[piece["id"]]
            pieces = self.rows.setdefault((piece["step"], piece["stream"], piece["sequence"]), [])
            pieces.append(s.document(row)[piece["start"] : piece["stop"]].tolist())

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for pieces in self.rows.values():
            rest = self.length - sum(map(len, pieces))
            yield {
                "input_ids": torch.tensor([t for p in pieces for t in p] + [0] * rest),
                "position_ids": torch.tensor([i for p in pieces for i in range(len(p))] + list(range(rest))),
                "labels": torch.tensor([t for p in pieces for t in [-100, *p[1:]]] + [-100] * rest),
            }


class Listening(Trainer):
    """Keeps the loss of each step as it is; the log rounds it."""

    heard: list[float]

    def training_step(self, *given: Any, **named: Any) -> torch.Tensor:
        loss = super().training_step(*given, **named)
        self.heard.append(float(loss))
        return loss


def losses_of_trainer(model: PreTrainedModel, rows: Rows, config: TrainConfig, folder: Path) -> list[float]:
    schedule = config.schedule
    assert isinstance(schedule, WarmupStable)
    arguments = TrainingArguments(
        str(folder),
        max_steps=config.num_steps,
        per_device_train_batch_size=config.sequences_per_step,
        learning_rate=schedule.peak,
        lr_scheduler_type="constant",
        optim="adamw_torch_fused",
        adam_beta1=config.optimizer.beta1,
        adam_beta2=config.optimizer.beta2,
        weight_decay=config.optimizer.weight_decay,
        max_grad_norm=config.optimizer.clip_norm,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )
    trainer = Listening(model, arguments, train_dataset=rows)
    trainer.heard = []
    trainer.train()
    return trainer.heard


def compared(step: Step[TrainConfig], folder: Path) -> tuple[list[float], list[float]]:
    """Return our losses and those of the Trainer."""
    store = Store(folder)
    run([step], store, MEANS)
    trained = store.resolve(step.name)
    ours = tables.read(trained.file(tables.STEPS_FILE), tables.STEPS)["loss"].to_pylist()
    base = next(i.artifact for i in trained.manifest.inputs if i.role == "model")
    model = load_model(store.root / base / "model")
    rows = Rows(trained, store, step.config.sequence_length)
    return ours, losses_of_trainer(model, rows, step.config, folder / "trainer")


def test_a_tiny_model(tmp_path: Path) -> None:
    ours, theirs = compared(
        training(schedule=WarmupStable(peak=1e-3), optimizer=AdamW(weight_decay=0.1), num_decisions=0), tmp_path
    )
    assert len(ours) == 12
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert ours[-1] < ours[0] - 0.5


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_smollm2_for_fifty_steps(tmp_path: Path) -> None:
    """Real weights, real pages."""
    pages = ingest.step(
        "pages",
        IngestConfig(
            source="web",
            language="en",
            reader=HtmlPages(),
            files=RawFiles(root=str(SAMPLES / "debian" / "en"), pattern="**/*.htm*"),
        ),
    )
    text = extract_text.step("text", ExtractConfig(), docs=pages)
    model = smollm2_step()
    held_out = training().inputs["held_out"][0].inputs["docs"][0]
    config = TrainConfig(
        tokens=50 * 2 * 128,
        mixture=Mixture(groups=(Group(name="en", share=1.0, sources=(Source(name="web", share=1.0),)),)),
        schedule=WarmupStable(peak=1e-4),
        num_decisions=0,
        validation=ValidationConfig(tokens_per_stream=60, tokens_per_document=60),
        sequence_length=128,
        precision="float32",
    )
    step = train.step(
        "train",
        config,
        model=model,
        tokens=tokenize.step("tokens", TokenizeConfig(), docs=text, model=model),
        held_out=tokenize.step("held-out", TokenizeConfig(), docs=held_out, model=model),
    )
    ours, theirs = compared(step, tmp_path)
    assert len(ours) == 50
    print("largest difference:", max(abs(a - b) for a, b in zip(ours, theirs, strict=True)))
    assert ours == pytest.approx(theirs, abs=1e-5)
