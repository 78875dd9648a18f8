"""The training stage on a tiny model, through the real runner and store."""

import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from regraft.core import Artifact, ConfigError, Execution, StepFailed, Store, plan, run
from regraft.corpus import tables
from regraft.mixture.guard import ForgettingGuard
from regraft.mixture.shares import Group, Mixture, Source
from regraft.training.averaging import Ema
from regraft.training.batch_ramp import BatchRamp
from regraft.training.cards.consumption import stream_uses
from regraft.training.history import documents_of_step, steps_of_document, steps_within
from regraft.training.kept import KeptConfig, give_up_after, place_to_keep, take_kept
from regraft.training.schedules import WarmupStable
from regraft.training.train import TrainConfig, ValidationConfig, train
from regraft.training.trainable import Lora, Only
from tests.training import conftest
from tests.training.conftest import MIXTURE, noisy, remembering, training

ONE = Execution(workers=1, checkpoint_seconds=0, sequences_per_batch=1, compile="off")
PINNED = [6.6811, 4.8248, 3.9227, 2.6047, 2.4568, 1.5984, 1.2743, 0.7849, 0.8104, 0.5315, 0.7019, 0.4533]


def made(folder: Path, **changes: Any) -> tuple[Store, Artifact]:
    store = Store(folder)
    run([training(**changes)], store, ONE)
    return store, store.resolve("train")


def rows(artifact: Artifact, file: str) -> list[dict[str, Any]]:
    schema = {tables.STEPS_FILE: tables.STEPS, tables.SERVED_FILE: tables.SERVED, tables.SHARES_FILE: tables.SHARES}
    schema |= {tables.HELD_OUT_FILE: tables.HELD_OUT, tables.STEP_TIMES_FILE: tables.STEP_TIMES}
    schema |= {tables.EVENTS_FILE: tables.EVENTS}
    return tables.read(artifact.file(file), schema[file]).to_pylist()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Artifact]:
    return made(tmp_path_factory.mktemp("store"))


def test_the_loss_falls_and_every_step_is_recorded(trained: tuple[Store, Artifact]) -> None:
    steps = rows(trained[1], tables.STEPS_FILE)
    assert [row["step"] for row in steps] == list(range(1, 13))
    assert steps[-1]["loss"] < steps[0]["loss"] - 0.5
    assert [round(row["learning_rate"], 4) for row in steps[:4]] == [0.005, 0.01, 0.01, 0.01]
    assert steps[-1]["tokens"] == trained[1].manifest.metrics["tokens"]
    assert len(rows(trained[1], tables.STEP_TIMES_FILE)) == 12


def test_the_mixture_is_served_as_planned(trained: tuple[Store, Artifact]) -> None:
    sequences: set[tuple[str, int]] = set()
    tokens = Counter[str]()
    for row in rows(trained[1], tables.SERVED_FILE):
        sequences.add((row["stream"], row["sequence"]))
        tokens[row["stream"].split("/")[0]] += row["stop"] - row["start"]
    assert Counter(stream.split("/")[0] for stream, _ in sequences) == {"zh": 12, "en": 12}
    metrics = trained[1].manifest.metrics
    assert (metrics["planned.zh"], metrics["planned.en.web-en"]) == (12 * 64, 12 * 64)
    assert (metrics["served.zh"], metrics["served.en.web-en"]) == (tokens["zh"], tokens["en"])
    assert tokens.total() == metrics["tokens"]


def test_the_controller_decides_from_measured_loss(trained: tuple[Store, Artifact]) -> None:
    shares = rows(trained[1], tables.SHARES_FILE)
    assert sorted({row["step"] for row in shares}) == [0, 4, 8]
    held_out = {
        (r["step"], f"{r['language']}/{r['source']}/{r['topic']}"): r for r in rows(trained[1], tables.HELD_OUT_FILE)
    }
    assert sorted({step for step, _ in held_out}) == [0, 4, 8, 12]
    for row in shares:
        measured = held_out[row["step"], row["stream"]]
        assert row["loss"] == pytest.approx(measured["loss"] / measured["tokens"])
        if row["stream"].startswith("zh") and row["step"]:
            before = held_out[row["step"] - 4, row["stream"]]
            assert row["change"] == pytest.approx(row["loss"] - before["loss"] / before["tokens"])
            assert row["factor"] != 1.0
            assert row["loss_before"] == pytest.approx(before["loss"] / before["tokens"])
        else:
            assert row["factor"] == 1.0
        base = held_out[0, row["stream"]]
        assert row["initial_loss"] == pytest.approx(base["loss"] / base["tokens"])
        assert row["effective_share"] == pytest.approx(row["share"])
    for step in (0, 4, 8):
        assert sum(row["share"] for row in shares if row["step"] == step) == pytest.approx(1)
        chinese = [row for row in shares if row["step"] == step and row["stream"].startswith("zh")]
        assert sum(row["share"] for row in chinese) == pytest.approx(0.5)
    better = {r["stream"]: r["change"] for r in shares if r["step"] == 4 and r["stream"].startswith("zh")}
    now = {r["stream"]: r["share"] for r in shares if r["step"] == 4}
    assert now[min(better, key=better.__getitem__)] < now[max(better, key=better.__getitem__)]


def test_the_model_opens_with_transformers_and_gives_the_trained_loss(trained: tuple[Store, Artifact]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = trained[1].file("model")
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = torch.tensor([tokenizer("老树保持原有的力量，又结出新的果实。").input_ids])
    with torch.no_grad():
        after = float(model(input_ids=ids, labels=ids).loss)
        base = AutoModelForCausalLM.from_pretrained(trained[0].resolve("backbone").file("model"))
        before = float(base(input_ids=ids, labels=ids).loss)
    assert after < before - 0.5


def test_steps_lead_to_documents_and_back(trained: tuple[Store, Artifact]) -> None:
    artifact = trained[1]
    for step in (1, 7, 12):
        seen = documents_of_step(artifact, step)
        assert len({(s.stream, s.sequence) for s in seen}) == 2
        for piece in seen:
            assert step in {s.step for s in steps_of_document(artifact, piece.id)}
    total = sum(s.stop - s.start for step in range(1, 13) for s in documents_of_step(artifact, step))
    assert total == artifact.manifest.metrics["tokens"]
    with pytest.raises(ConfigError, match="has the steps 1 to 12, not 13"):
        documents_of_step(artifact, 13)


@pytest.mark.parametrize("after", [0, 3, 9])
def test_kill_9_and_again_gives_the_same_bytes(trained: tuple[Store, Artifact], tmp_path: Path, after: int) -> None:
    """Killed at the first sign of a given checkpoint, which may be half written."""
    _kill("training", tmp_path, after)
    _, again = made(tmp_path)
    assert again.manifest.content_digest == trained[1].manifest.content_digest


def test_kill_9_between_decisions_that_build_on_each_other(tmp_path: Path) -> None:
    """The bandit remembers rewards, the guard how far replay was raised; the second kill is after streams ended."""
    straight = Store(tmp_path)
    run([remembering()], straight, ONE)
    first = straight.resolve("train")
    for after in (4, 8):
        killed = Store(tmp_path / f"killed-{after}")
        _kill("remembering", killed.root, after)
        run([remembering()], killed, ONE)
        assert killed.resolve("train").manifest.content_digest == first.manifest.content_digest
    second = [row for row in rows(first, tables.SHARES_FILE) if row["step"] == 6]
    assert any("exploring" in row["reason"] and row["memory"] > 0 for row in second)
    assert all("replay raised" in row["reason"] for row in second)
    assert {row["what"]: row["step"] for row in rows(first, tables.EVENTS_FILE)}["ended"] in (7, 8)


@pytest.mark.parametrize("after", [7, 10, 13])
def test_kill_9_around_a_roll_back(tmp_path: Path, after: int) -> None:
    """Before, at and after steps that are given up: those are given up again, or were."""
    straight, killed = Store(tmp_path / "straight"), Store(tmp_path / "killed")
    run([noisy()], straight, ONE)
    _kill("noisy", killed.root, after)
    run([noisy()], killed, ONE)
    assert straight.resolve("train").manifest.metrics["rollbacks"]
    assert killed.resolve("train").manifest.content_digest == straight.resolve("train").manifest.content_digest


def test_kill_in_the_middle_of_a_roll_back(tmp_path: Path) -> None:
    """What was served since the anchor is in no file any more, and the newest checkpoint is from before the spike."""
    straight, killed = Store(tmp_path / "straight"), Store(tmp_path / "killed")
    run([noisy()], straight, ONE)
    child = subprocess.run(
        [sys.executable, "-c", "import os, sys; from pathlib import Path; from regraft.core import Store, run\n"
         "from regraft.training.ledger import Ledger\nfrom tests.training.conftest import noisy\n"
         "from tests.training.test_train import ONE\nroll_back = Ledger.roll_back\n"
         "Ledger.roll_back = lambda self, step: (roll_back(self, step), os._exit(9))\n"
         "run([noisy()], Store(Path(sys.argv[1])), ONE)", str(killed.root)],
        check=False,
    )  # fmt: skip
    assert child.returncode == 9
    run([noisy()], killed, ONE)
    assert killed.resolve("train").manifest.content_digest == straight.resolve("train").manifest.content_digest


def _kill(build: str, folder: Path, after: int) -> None:
    """Start a training in another process and kill it once a checkpoint of step `after` or later shows."""
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; from pathlib import Path; from regraft.core import Store, run\n"
         f"from tests.training.conftest import {build}\nfrom tests.training.test_train import ONE\n"
         f"run([{build}()], Store(Path(sys.argv[1])), ONE)", str(folder)],
    )  # fmt: skip
    store = Store(folder)
    step = getattr(conftest, build)()
    scratch = store.scratch(plan([step], store, ONE)[-1].id)
    deadline = time.monotonic() + 120
    while not _reached(scratch, after) and time.monotonic() < deadline:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL


def _reached(scratch: Path, step: int) -> bool:
    """Say whether a checkpoint of this step or a later one is there or is being written."""
    return scratch.exists() and (not step or any(int(p.name[-9:]) >= step for p in scratch.glob("checkpoints/*-0*")))


def test_a_torn_checkpoint_is_never_used(tmp_path: Path) -> None:
    store = Store(tmp_path)
    scratch = store.scratch(plan([training()], store, ONE)[-1].id)
    torn = scratch / "checkpoints/unfinished-000000006"
    torn.mkdir(parents=True)
    (torn / "state.json").write_bytes(b"half")
    run([training()], store, ONE)
    assert store.resolve("train").manifest.metrics["steps"] == 12


def test_an_exhausted_language_hands_its_share_on_and_the_shortfall_is_a_figure(tmp_path: Path) -> None:
    groups = (replace(MIXTURE.groups[0], share=0.8), replace(MIXTURE.groups[1], share=0.2))
    _, artifact = made(tmp_path, count=12, num_decisions=0, mixture=Mixture(groups=groups), tokens=10 * 2 * 64)
    metrics = artifact.manifest.metrics
    assert (metrics["planned.zh"], metrics["planned.en"]) == (16 * 64, 4 * 64)
    assert metrics["exhausted_streams"] == 2
    served = {(row["stream"], row["sequence"]) for row in rows(artifact, tables.SERVED_FILE)}
    assert sum(stream.startswith("zh") for stream, _ in served) == 8
    assert int(metrics["served.zh"] or 0) <= 8 * 64 < int(metrics["served.en"] or 0)


def test_a_topic_that_ends_leaves_the_decisions_and_what_is_served_is_in_the_rows(tmp_path: Path) -> None:
    groups = (replace(MIXTURE.groups[0], share=0.9), replace(MIXTURE.groups[1], share=0.1))
    _, artifact = made(tmp_path, count=12, mixture=Mixture(groups=groups), tokens=10 * 2 * 64)
    shares = rows(artifact, tables.SHARES_FILE)
    ended = {row["stream"]: row["step"] for row in rows(artifact, tables.EVENTS_FILE) if row["what"] == "ended"}
    left_out = [row for row in shares if ended.get(row["stream"], 99) <= row["step"]]
    assert left_out
    for row in left_out:
        assert (row["reason"], row["effective_share"]) == ("ended, takes no part", 0)
        assert row["share"] == row["share_before"] > 0
    for step in sorted({row["step"] for row in shares}):
        assert sum(row["effective_share"] for row in shares if row["step"] == step) == pytest.approx(1)


GUARD = ForgettingGuard(protected=("web-en",), replay="en", limit=0.001, noise_gate=0.0, step=0.2)
"""One of text that is trained on at nothing like the rate at which it is forgotten; see `forgetting`."""


def forgetting(guard: ForgettingGuard) -> dict[str, Any]:
    """Return settings under which English gets worse: next to none of it, and a learning rate that is too high."""
    groups = (replace(MIXTURE.groups[0], share=0.99), replace(MIXTURE.groups[1], share=0.01))
    schedule = WarmupStable(peak=0.5, warmup_tokens=64)
    return {"mixture": Mixture(groups=groups), "schedule": schedule, "guard": guard, "count": 48}


def test_the_guard_raises_replay_while_protected_text_gets_worse(tmp_path: Path) -> None:
    _, artifact = made(tmp_path, **forgetting(GUARD))
    english = {
        step: sum(
            row["share"] for row in rows(artifact, tables.SHARES_FILE) if row["step"] == step and "-en" in row["stream"]
        )
        for step in (0, 4, 8)
    }
    assert english == pytest.approx({0: 0.01, 4: 0.21, 8: 0.41})
    said = [row for row in rows(artifact, tables.EVENTS_FILE) if row["what"] == "guarded"]
    assert [row["step"] for row in said] == [4, 8]
    assert "beyond 0.001: replay raised to 0.21" in said[0]["detail"]
    assert artifact.manifest.metrics["steps"] == 12


def test_the_guard_ends_a_training_with_the_model_so_far(tmp_path: Path) -> None:
    from regraft.lm.load import load_model

    guard = replace(GUARD, stop_limit=0.001)
    _, artifact = made(tmp_path, **forgetting(guard))
    metrics = artifact.manifest.metrics
    assert metrics["steps"] == 4
    assert str(metrics["stopped"]).endswith("beyond 0.001: training stops")
    assert rows(artifact, tables.EVENTS_FILE)[-1]["what"] == "stopped"
    assert len(rows(artifact, tables.STEPS_FILE)) == 4
    assert {row["step"] for row in rows(artifact, tables.SHARES_FILE)} == {0, 4}
    assert load_model(artifact.file("model")) is not None


def test_a_second_stage_sees_none_of_the_documents_of_the_first(trained: tuple[Store, Artifact]) -> None:
    store = trained[0]
    first = training(tokens=4 * 2 * 64, num_decisions=0)
    wired: dict[str, Any] = {"model": first, "tokens": first.inputs["tokens"], "held_out": first.inputs["held_out"]}
    record = run([train.step("again", first.config, **wired)], store, ONE)
    first_pieces, second_pieces = (
        [piece for step in range(1, 5) for piece in documents_of_step(store.resolve(record.steps[name]), step)]
        for name in ("train", "again")
    )
    ended = {piece.id: piece.stop for piece in first_pieces}
    assert second_pieces
    assert all(piece.start >= ended.get(piece.id, 0) for piece in second_pieces)
    assert any(piece.id in ended for piece in second_pieces)  # the rest of a document that was begun
    assert store.resolve("again").manifest.metrics["left_out_documents"] == len(ended)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": 0}, "tokens is 0"),
        ({"num_decisions": 12}, "num_decisions is 12; 12 steps leave room for fewer"),
        ({"guard": replace(GUARD, replay="fr")}, "the mixture plans {'zh': 0.5, 'en': 0.5}"),
        ({"guard": replace(GUARD, cap=0.95), "num_decisions": 0}, "A guard is asked at each decision"),
        ({"controlled_sources": ("web",)}, r"controlled_sources \['web'\] are not in the mixture"),
    ],
)
def test_wrong_settings_fail_before_anything_runs(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        training(**changes)


def test_a_source_without_documents_is_named(tmp_path: Path) -> None:
    mixture = Mixture(groups=(Group(name="fr", share=1.0, sources=(Source(name="web-fr", share=1.0),)),))
    with pytest.raises(
        StepFailed, match=r"web-fr of group 'fr' has no sequences; there are \['en/web-en', 'zh/web-zh'\]"
    ):
        made(tmp_path, mixture=mixture, controlled_sources=(), num_decisions=0)


def test_held_out_documents_are_never_trained_on(tmp_path: Path) -> None:
    step = training()
    wired: dict[str, Any] = {"model": step.inputs["model"], "tokens": step.inputs["tokens"]}
    leaking = train.step("leaking", step.config, **wired, held_out=step.inputs["tokens"])
    with pytest.raises(StepFailed, match="48 held-out documents are trained on too"):
        run([leaking], Store(tmp_path), ONE)


def test_a_diverging_training_stops_and_names_the_documents(tmp_path: Path) -> None:
    with pytest.raises(
        StepFailed, match=r"step \d+: loss nan.*documents of this step: \['train-.*This is step 6 on end"
    ):
        made(tmp_path, num_decisions=0, schedule=WarmupStable(peak=1e18, start=1e18))


def test_decisions_and_kept_models_are_at_whole_steps() -> None:
    config = replace(training().config, num_decisions=3, keep_every=300)
    assert config.decision_steps == (3, 6, 9)
    assert [step for step in range(1, 13) if config.keeps(step)] == [3, 5, 8, 10, 12]
    assert not any(replace(config, keep_every=0).keeps(step) for step in range(1, 13))


def test_the_plan_says_the_budget() -> None:
    step = training()
    assert step.stage.describe is not None
    assert step.stage.describe(step.config) == "12 steps, 1,536 tokens (zh 768 : en 768)"
    assert isinstance(step.config, TrainConfig)


def test_the_course_of_the_small_training_is_pinned(trained: tuple[Store, Artifact]) -> None:
    """Raise the version of the stage `train` when this has to change."""
    losses = [row["loss"] for row in rows(trained[1], tables.STEPS_FILE)]
    assert losses == pytest.approx(PINNED, rel=2e-3)


def test_dropout_is_a_function_of_the_step(trained: tuple[Store, Artifact], tmp_path: Path) -> None:
    """A killed training with dropout gives the same bytes too."""
    import torch

    from regraft.training.step import _seed

    seeds = [_seed(seed, step, 0, batch) for seed in (0, 1) for step in (0, 1) for batch in (0, 1)]
    assert len(set(seeds)) == 8
    drawn: list[torch.Tensor] = []
    for _ in range(2):
        torch.manual_seed(_seed(0, 3, 0, 1))
        drawn.append(torch.nn.functional.dropout(torch.ones(50)))
    assert torch.equal(*drawn)


def test_a_budget_that_cannot_be_served_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(
        StepFailed, match=r"asks for 400 sequences and the sources hold \d+; too little of \['zh/web-zh'"
    ):
        made(tmp_path, tokens=200 * 2 * 64)
    assert not list(Store(tmp_path).root.glob(".scratch/train-*/checkpoints/step-*"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"controlled_sources": ()}, "needs sources to control"),
        (
            {"validation": ValidationConfig(sources=("web-zh",)), "guard": GUARD},
            r"validation.sources leaves out \['web-en'\], which the guard protects",
        ),
        ({"validation": ValidationConfig(sources=("web-en",))}, r"validation.sources leaves out \['web-zh'\]"),
    ],
)
def test_a_controller_that_could_not_steer_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        training(**changes)


def test_models_are_kept_on_the_way_and_the_last_is_their_mean(tmp_path: Path, trained: tuple[Store, Artifact]) -> None:
    import torch

    from regraft.lm.load import load_model

    kept = training(keep_every=4 * 128, average=Ema(decay=0.5, every_steps=4))
    run([kept], Store(tmp_path), ONE)
    artifact = Store(tmp_path).resolve("train")
    folders = {step: artifact.file(f"kept/step-{step:09d}/model") for step in (4, 8, 12)}
    assert sorted(p.name for p in artifact.file("kept").iterdir()) == [f"step-{step:09d}" for step in folders]
    taken = take_kept.step("kept", KeptConfig(step=8), model=kept)
    run([taken], Store(tmp_path), ONE)
    stable = load_model(Store(tmp_path).resolve("kept").file("model")).state_dict()
    means = {step: load_model(folder).state_dict() for step, folder in folders.items()}
    last = load_model(artifact.file("model")).state_dict()
    plain = load_model(trained[1].file("model")).state_dict()
    for name, weight in last.items():
        assert torch.equal(weight, means[12][name])
    weight = "model.norm.weight"
    assert torch.equal(stable[weight], means[8][weight])
    taken_at = Store(tmp_path).resolve("kept")
    assert [(training.id, last_step) for training, last_step in steps_within(taken_at)] == [(artifact.id, 8)]
    assert sum(use.tokens for use in stream_uses(artifact, 8)) < artifact.manifest.metrics["tokens"]
    assert sum(use.tokens for use in stream_uses(artifact, 12)) == artifact.manifest.metrics["tokens"]
    with pytest.raises(StepFailed, match=r"kept no model after step 5; it kept \[4, 8, 12\]"):
        run([take_kept.step("other", KeptConfig(step=5), model=taken.inputs["model"])], Store(tmp_path), ONE)
    assert not torch.equal(last[weight], plain[weight])
    assert rows(artifact, tables.STEPS_FILE) == rows(trained[1], tables.STEPS_FILE)  # averaging changes no step


def test_models_kept_after_where_a_training_goes_on_are_made_anew(tmp_path: Path) -> None:
    places = [place_to_keep(tmp_path, step) for step in (4, 8, 12)]
    for place in places:
        place.mkdir(parents=True)
    give_up_after(tmp_path, 8)
    assert [place.exists() for place in places] == [True, True, False]
    give_up_after(tmp_path / "none", 8)


def test_only_some_parameters_are_trained(tmp_path: Path) -> None:
    import torch

    from regraft.lm.load import load_model

    store, artifact = made(tmp_path, trainable=Only(patterns=("*embed_tokens*",)), num_decisions=0)
    before = load_model(store.resolve("backbone").file("model")).state_dict()
    changed = {n for n, w in load_model(artifact.file("model")).state_dict().items() if not torch.equal(w, before[n])}
    assert changed == {"model.embed_tokens.weight", "lm_head.weight"}
    assert artifact.manifest.metrics["trained_parameters"] == before["model.embed_tokens.weight"].numel()


def test_low_rank_additions_are_merged_into_a_plain_model(tmp_path: Path) -> None:
    import torch

    from regraft.lm.load import load_model

    store, artifact = made(tmp_path, trainable=Lora(rank=4), num_decisions=0)
    before = load_model(store.resolve("backbone").file("model")).state_dict()
    after = load_model(artifact.file("model")).state_dict()
    assert list(after) == list(before)
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    assert changed == {name for name in after if "_proj." in name}
    held_out = [row["loss"] for row in rows(artifact, tables.HELD_OUT_FILE) if row["topic"] == "trees"]
    assert sum(held_out[-2:]) < sum(held_out[:2])


def test_a_batch_ramp_begins_with_small_steps(tmp_path: Path) -> None:
    ramp = BatchRamp(start=1, increase=1, tokens=6 * 64)
    _, artifact = made(tmp_path, batch_ramp=ramp, num_decisions=0, sequences_per_step=3, tokens=24 * 64)
    sizes = Counter(
        step for step, *_ in {(r["step"], r["stream"], r["sequence"]) for r in rows(artifact, tables.SERVED_FILE)}
    )
    assert [sizes[step] for step in sorted(sizes)] == [1, 1, 1, 2, 2, *[3] * 6]
    assert artifact.manifest.metrics["sequences"] == sum(sizes.values())


def test_documents_that_fit_are_not_cut_by_best_fit(tmp_path: Path) -> None:
    _, artifact = made(tmp_path, packing="best_fit", sequence_length=128, tokens=12 * 128, num_decisions=0)
    pieces = Counter(row["id"] for row in rows(artifact, tables.SERVED_FILE))
    assert max(pieces.values()) == 1
