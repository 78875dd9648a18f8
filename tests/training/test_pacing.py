"""Pacing by held-out loss inside a training, through the real runner and store."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from regraft.core import ConfigError, Context, Execution, Kind, Metrics, Step, StepFailed, Store, plan, run, stage
from regraft.corpus import tables
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.lm.tiny import TinyConfig, make_tiny
from regraft.mixture.controllers import Fixed
from regraft.mixture.curriculum import Buckets
from regraft.mixture.pacing import BucketLoss, GatedByLoss, Pace
from regraft.training.safety import Safety, Spikes, Watch
from regraft.training.train import TrainConfig, ValidationConfig, train
from tests.training.conftest import TextsConfig, training, write_texts

ONE = Execution(workers=1, checkpoint_seconds=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce:
    """Leaves a bucket when it is asked for the second time."""

    sources: tuple[str, ...] = ("web-zh",)
    num_buckets: int = 2

    def decide(self, seen: Sequence[BucketLoss]) -> Pace:
        return Pace(advance=len(seen) > 1, reason="asked twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberConfig:
    languages: tuple[str, ...] = ("en", "zh")


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def number_losses(config: NumberConfig, ctx: Context) -> Metrics:
    """Give each document the number in its id as its loss, none to those of other languages."""
    docs = tables.read(ctx.input("docs").file("documents/00000.parquet"), tables.DOCUMENTS, ["id", "language"])
    names = ((row["id"], int(row["language"] in config.languages)) for row in docs.to_pylist())
    rows = [{"id": i, "loss": float(i.rpartition("-")[2]), "tokens": n, "bytes": n} for i, n in names]
    tables.write(ctx.out / tables.ANNOTATION_FILE, tables.table_of(rows, tables.LOSSES), tables.LOSSES)
    return {}


def paced(
    scored_held_out: bool = True,
    ordered: tuple[str, ...] = ("zh",),
    scored: tuple[tuple[str, ...], tuple[str, ...]] = (("en", "zh"), ("en", "zh")),
    **changes: Any,
) -> Step[TrainConfig]:
    """Return a training; `scored` are the languages of its text and of its held-out text that have a difficulty."""
    model = make_tiny.step("backbone", TinyConfig())
    corpora = [write_texts.step(f"corpus/{p}", TextsConfig(count=n, part=p)) for p, n in (("train", 24), ("held", 24))]
    scores = [
        number_losses.step(f"losses/{corpus.name}", NumberConfig(languages=languages), docs=corpus)
        for corpus, languages in zip(corpora, scored, strict=True)
    ]
    order = TokenizeConfig(order=Buckets(num_buckets=2), ordered_languages=ordered)
    learn = tokenize.step("tokens/train", order, docs=corpora[0], model=model, difficulty=scores[0])
    wired = {"difficulty": scores[1]} if scored_held_out else {}
    held_out = tokenize.step("tokens/held", TokenizeConfig(), docs=corpora[1], model=model, **wired)
    validation = ValidationConfig(tokens_per_stream=4000, tokens_per_document=40)
    settings: dict[str, Any] = {"pacing": AtOnce(), "validation": validation, **changes}
    config = training(**settings).config
    return train.step("train", config, model=model, tokens=learn, held_out=held_out)


def events_of(store: Store) -> list[dict[str, Any]]:
    return tables.read(store.resolve("train").file(tables.EVENTS_FILE), tables.EVENTS).to_pylist()


def test_a_stream_goes_on_when_the_gate_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run([paced()], store, ONE)
    made = store.resolve("train")
    first = next(event for event in events_of(store) if event["stream"] == "zh/web-zh/-")
    assert (first["step"], first["what"]) == (4, "advanced")
    served = tables.read(made.file(tables.SERVED_FILE), tables.SERVED).to_pylist()
    chinese = [row for row in served if row["stream"].startswith("zh")]
    hard = {row["step"]: int(row["id"].rpartition("-")[2]) >= 12 for row in chinese}
    assert not any(hard[step] for step in hard if step <= 4)
    assert all(hard[step] for step in hard if 4 < step <= 6)
    assert len({row["sequence"] for row in chinese}) == 12, "none twice"


def test_kill_9_after_a_bucket_was_left_gives_the_same_bytes(tmp_path: Path) -> None:
    stores = Store(tmp_path / "whole"), Store(tmp_path / "killed")
    code = (
        "import sys; from pathlib import Path; from regraft.core import run, Store\n"
        "from tests.training.test_pacing import ONE, paced\n"
        "run([paced()], Store(Path(sys.argv[1])), ONE)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "killed")])
    scratch = stores[1].scratch(plan([paced()], stores[1], ONE)[-1].id)
    while child.poll() is None and not any(int(p.name[-9:]) >= 5 for p in scratch.glob("checkpoints/step-*")):
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    for store in stores:
        run([paced()], store, ONE)
    first, second = (store.resolve("train").manifest.content_digest for store in stores)
    assert first == second


def test_held_out_text_without_difficulty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="that of the held-out documents 'missing'"):
        run([paced(scored_held_out=False)], Store(tmp_path), ONE)


@pytest.mark.parametrize(("min_improvement", "first"), [(100.0, "advanced"), (0.0, "bucket_ended")])
def test_a_bucket_is_left_once_its_held_out_loss_stops_falling(
    tmp_path: Path, min_improvement: float, first: str
) -> None:
    gate = GatedByLoss(sources=("web-zh",), num_buckets=2, patience=1, min_improvement=min_improvement)
    run([paced(pacing=gate)], Store(tmp_path), ONE)
    events = [event for event in events_of(Store(tmp_path)) if event["stream"] == "zh/web-zh/-"]
    assert events[0]["what"] == first
    if first == "advanced":
        assert "no fall of more than 100.0 in 1 measurements" in events[0]["detail"]


def test_a_roll_back_passes_over_what_a_paced_stream_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter(range(1, 100))
    monkeypatch.setattr(Watch, "see", lambda *_: next(seen) == 7)
    run([paced(safety=Safety(spikes=Spikes(window=4, anchor_steps=500)), num_decisions=2)], Store(tmp_path), ONE)
    artifact = Store(tmp_path).resolve("train")
    served, passed = (
        {
            (row["stream"], row["id"], row["start"])
            for row in tables.read(artifact.file(file), tables.SERVED).to_pylist()
        }
        for file in (tables.SERVED_FILE, tables.SKIPPED_FILE)
    )
    assert {stream for stream, *_ in passed} == {"zh/web-zh/-", "en/web-en/-"}
    assert not served & passed


@pytest.mark.parametrize(
    ("scored", "why"),
    [
        ((("en", "zh"), ("zh",)), "bucket 1, 2 has fewer than 3 held-out documents"),
        ((("zh",), ("en", "zh")), "it has fewer documents with a difficulty than buckets"),
    ],
)
def test_a_stream_that_cannot_be_judged_is_paced_by_clock(
    tmp_path: Path, scored: tuple[tuple[str, ...], tuple[str, ...]], why: str
) -> None:
    gate = AtOnce(sources=("web-zh", "web-en"))
    run([paced(pacing=gate, ordered=("en", "zh"), scored=scored)], Store(tmp_path), ONE)
    events = events_of(Store(tmp_path))
    told = [(event["stream"], event["detail"]) for event in events if event["what"] == "not_gated"]
    assert told == [("en/web-en/-", f"paced by clock: {why}")]
    assert {event["stream"] for event in events if event["what"] == "advanced"} == {"zh/web-zh/-"}


def test_a_gate_that_can_judge_no_stream_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"can be paced by held-out loss: \['zh/web-zh/-: paced by clock: bucket 1, 2"):
        run([paced(scored=(("en", "zh"), ("en",)))], Store(tmp_path), ONE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pacing": AtOnce(sources=("books",))}, r"pacing names \['books'\], which is not in the mixture"),
        ({"num_decisions": 0}, "num_decisions is 0"),
        (
            {"validation": ValidationConfig(sources=("web-en",)), "controller": Fixed(), "controlled_sources": ()},
            r"pacing names \['web-zh'\], which is not in validation.sources",
        ),
    ],
)
def test_a_pacing_that_cannot_be_asked_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        paced(**changes)
