"""Compiled layers: the same training but for rounding, the same bits from run to run, and no harm where it fails."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from regraft.lm.loss import CausalLoss
from regraft.training import compiled
from regraft.training.compiled import FEWEST_PASSES, Passes, Trial, as_they_are, compile_layers
from regraft.training.parallel import Ranks

LOG = logging.getLogger("test")
FAST = Trial(plain_seconds=2, compiled_seconds=1, compiling_seconds=60, loss_difference=1e-7, gradient_difference=1e-6)


def passes_of(model: LlamaForCausalLM, count: int = 1000) -> Passes:
    return Passes(
        module=CausalLoss(model),
        model=model,
        shape=(2, 16),
        count=count,
        ranks=Ranks(0, 1, torch.device("cpu")),
        autocast=False,
        precision="float32",
    )


@pytest.fixture
def passes() -> Passes:
    torch.manual_seed(0)
    torch.compiler.reset()
    return passes_of(
        LlamaForCausalLM(
            LlamaConfig(
                vocab_size=64,
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=3,
                num_attention_heads=2,
                num_key_value_heads=1,
            )
        )
    )


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)


def course(passes: Passes, steps: int = 4) -> list[float]:
    """Train the model and return its losses."""
    optimizer = torch.optim.AdamW(passes.model.parameters(), lr=1e-2)
    losses: list[float] = []
    for _ in range(steps):
        loss = passes.module(*passes._batch()) / 32
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def again(passes: Passes) -> Passes:
    """Return the same with a copy of the model, not compiled."""
    model = LlamaForCausalLM(passes.model.config)
    model.load_state_dict(passes.model.state_dict())
    return passes_of(model)


@pytest.mark.usefixtures("no_cache")
@pytest.mark.slow
def test_compiled_layers_keep_names_agree_with_plain_ones_and_repeat_themselves(passes: Passes, tmp_path: Path) -> None:
    plain, second = again(passes), again(passes)
    names = list(passes.model.state_dict())
    report = compile_layers(passes, "on", tmp_path, tmp_path / "decided.json", LOG)
    assert report.compiled, report.reason
    assert report.trial is not None
    assert list(passes.model.state_dict()) == names
    assert all(p.grad is None for p in passes.model.parameters())
    losses = course(passes)
    assert losses == pytest.approx(course(plain), rel=1e-4)
    torch.compiler.reset()
    remembered = compile_layers(second, "on", tmp_path, tmp_path / "of another training.json", LOG)
    assert remembered.trial == report.trial
    assert course(second) == losses


@pytest.mark.usefixtures("no_cache")
@pytest.mark.slow
def test_other_shapes_are_not_compiled_in_evaluation_and_the_plain_result_comes_out(
    passes: Passes, tmp_path: Path
) -> None:
    plain = again(passes)
    compile_layers(passes, "on", tmp_path, tmp_path / "decided.json", LOG)
    ids = torch.arange(24).view(1, -1)
    given = ids, ids, ids.flatten(), torch.arange(24)
    with as_they_are(), torch.no_grad():
        before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        found = passes.module(*given)
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before
    with torch.no_grad():
        assert torch.equal(found, plain.module(*given))


@pytest.mark.usefixtures("no_cache")
@pytest.mark.slow
def test_recomputed_layers_can_be_compiled(passes: Passes, tmp_path: Path) -> None:
    passes.model.activation_checkpointing_enable()
    assert compile_layers(passes, "on", tmp_path, tmp_path / "decided.json", LOG).compiled


def test_a_failure_leaves_the_training_as_it_was_with_one_warning(
    passes: Passes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*given: Any, **options: Any) -> None:
        raise RuntimeError("no C++ compiler\nsecond line")

    def compile_(layer: torch.nn.Module, **options: Any) -> None:
        layer._compiled_call_impl = fails

    plain = again(passes)
    monkeypatch.setattr(torch.nn.Module, "compile", compile_)
    with caplog.at_level(logging.WARNING):
        report = compile_layers(passes, "on", tmp_path, tmp_path / "decided.json", LOG)
    assert not report.compiled
    assert "no C++ compiler" in report.reason
    assert len(caplog.records) == 1
    assert course(passes) == course(plain)


@pytest.mark.parametrize(
    ("trial", "count", "mode", "expected"),
    [
        (FAST, 61, "auto", True),
        (FAST, 60, "auto", False),
        (FAST, 60, "on", True),
    ],
)
def test_auto_compiles_where_it_saves_time(passes: Passes, trial: Trial, count: int, mode: Any, expected: bool) -> None:
    assert compiled._judge(passes_of(passes.model, count), mode, trial).compiled is expected


@pytest.mark.parametrize("field", ["loss_difference", "gradient_difference"])
@pytest.mark.parametrize("value", [0.1, float("nan")])
def test_what_computes_something_else_is_not_used(passes: Passes, field: str, value: float) -> None:
    assert not compiled._judge(passes, "on", replace(FAST, **{field: value})).compiled


def test_a_short_training_is_not_tried(passes: Passes, tmp_path: Path) -> None:
    report = compile_layers(
        passes_of(passes.model, FEWEST_PASSES - 1), "auto", tmp_path, tmp_path / "decided.json", LOG
    )
    assert not report.compiled
    assert not (tmp_path / "trials").exists()


def test_a_training_of_seconds_is_not_tried(passes: Passes, tmp_path: Path) -> None:
    report = compile_layers(passes_of(passes.model, FEWEST_PASSES), "auto", tmp_path, tmp_path / "decided.json", LOG)
    assert not report.compiled
    assert "too short" in report.reason
    assert not (tmp_path / "trials").exists()


def test_a_training_that_goes_on_decides_as_it_began(
    passes: Passes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "decided.json"
    assert not compile_layers(passes, "auto", tmp_path, kept, LOG).compiled
    monkeypatch.setattr(compiled, "_decide", lambda *_: compiled.CompileReport(compiled=True, reason="it is late"))
    assert not compile_layers(again(passes), "auto", tmp_path, kept, LOG).compiled
    other = again(passes)
    next(other.model.parameters()).requires_grad_(False)
    assert compile_layers(other, "auto", tmp_path, kept, LOG).compiled
    assert compile_layers(again(passes), "auto", tmp_path, tmp_path / "new.json", LOG).compiled


def test_a_trial_runs_as_in_training_and_its_failure_ends_nothing(
    passes: Passes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[bool] = []

    def takes(self: Passes) -> Any:
        modes.append(self.module.training)
        raise torch.OutOfMemoryError("no memory left")

    passes.module.eval()
    monkeypatch.setattr(Passes, "take", takes)
    report = compile_layers(passes, "auto", tmp_path, tmp_path / "decided.json", LOG)
    assert not report.compiled
    assert "no memory left" in report.reason
    assert modes == [True]
    assert not passes.module.training
