"""Decisions on made-up measurements: who takes part, what is moved, what the rows say."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from regraft.core import ConfigError
from regraft.corpus import tables
from regraft.mixture.controllers import (
    Bounds,
    Controller,
    Decision,
    ExcessLoss,
    Fixed,
    OnlineMixing,
    TopicPerplexity,
    Velocity,
)
from regraft.mixture.guard import ForgettingGuard
from regraft.mixture.sampler import Sampler
from regraft.mixture.shares import Group, Mixture, Source, StreamKey
from regraft.training.schedules import WarmupStable
from regraft.training.steering import Steering, start, steer
from regraft.training.train import TrainConfig
from regraft.training.validation import Measured

ZH = tuple(StreamKey("zh", "web", topic) for topic in "abc")
EN = StreamKey("en", "wiki", "-")
HELD = StreamKey("en", "pubmed", "-")
"""Protected, and never trained on."""
MIXTURE = Mixture(
    groups=(
        Group(name="zh", share=0.6, sources=(Source(name="web", share=1.0),)),
        Group(name="en", share=0.4, sources=(Source(name="wiki", share=1.0),)),
    )
)
SHARES = {ZH[0]: 0.3, ZH[1]: 0.2, ZH[2]: 0.1, EN: 0.4}
NONE: frozenset[StreamKey] = frozenset()


def config(controller: Controller | None = None, **changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {
        "tokens": 100_000,
        "mixture": MIXTURE,
        "schedule": WarmupStable(peak=1e-3, warmup_tokens=10),
        "controller": controller or TopicPerplexity(noise_gate=0.0),
        "controlled_sources": () if controller == Fixed() else ("web",),
        **changes,
    }
    return TrainConfig(**settings)


def measured(losses: Mapping[StreamKey, float], documents: int = 8) -> dict[StreamKey, Measured]:
    """Return held-out losses in nats a token, the same for each of the documents of 10 tokens."""
    return {key: Measured(losses=(10 * x,) * documents, lengths=(10,) * documents) for key, x in losses.items()}


FIRST = measured({**dict.fromkeys(ZH, 3.0), EN: 2.0, HELD: 2.0})
GUARD = ForgettingGuard(protected=("pubmed",), replay="en", limit=0.05, stop_limit=0.5, step=0.1)


def second(a: float, b: float, c: float, held: float = 2.0) -> dict[StreamKey, Measured]:
    return measured({ZH[0]: a, ZH[1]: b, ZH[2]: c, EN: 2.0, HELD: held})


def test_the_start_moves_nothing_and_remembers_the_base_model() -> None:
    steered = start(config(), SHARES, NONE, FIRST)
    assert steered.shares == SHARES
    assert [row["stream"] for row in steered.rows] == [str(key) for key in SHARES]
    assert {row["reason"] for row in steered.rows} == {"start"}
    assert steered.steering.initial[str(HELD)] == (20.0,) * 8


def test_a_decision_moves_the_topics_of_controlled_sources_only() -> None:
    begun = start(config(), SHARES, NONE, FIRST)
    steered = steer(config(), begun.steering, begun.shares, NONE, second(3.1, 3.0, 2.9))
    assert steered.shares[ZH[0]] > 0.3
    assert steered.shares[ZH[2]] < 0.1
    assert steered.shares[EN] == 0.4
    assert math.fsum(steered.shares.values()) == pytest.approx(1, abs=1e-12)
    rows = {row["stream"]: row for row in steered.rows}
    assert rows["en/wiki/-"]["reason"] == "not controlled"
    assert rows["zh/web/a"]["reason"] == "worse, more of it"


def test_a_row_holds_every_term() -> None:
    rule = Velocity(targets=dict.fromkeys("abc", 1.0))
    begun = start(config(rule), SHARES, NONE, FIRST)
    between = steer(config(rule), begun.steering, begun.shares, NONE, second(2.5, 2.5, 2.5))
    steered = steer(config(rule), between.steering, between.shares, NONE, second(2.0, 2.5, 1.5))
    row = steered.rows[0]
    assert row == {
        "stream": "zh/web/a",
        "share_before": between.shares[ZH[0]],
        "share": steered.shares[ZH[0]],
        "loss": 2.0,
        "loss_before": 2.5,
        "initial_loss": 3.0,
        "target_loss": 1.0,
        "error": 0.0,
        "change": -0.5,
        "delta": 0.5,
        "factor": pytest.approx(steered.shares[ZH[0]] / between.shares[ZH[0]]),
        "memory": 0.0,
        "reason": f"50 % of the way to its target left, {'more' if row['factor'] > 1 else 'less'} of it",
    }
    assert {"step", "effective_share", *row} == set(tables.SHARES.names)


def test_a_topic_that_is_not_measured_has_no_error_of_zero() -> None:
    begun = start(config(), SHARES, NONE, {key: m for key, m in FIRST.items() if key != EN})
    row = next(row for row in begun.rows if row["stream"] == str(EN))
    assert math.isnan(row["loss"])
    assert row["error"] == math.inf


def test_a_topic_that_has_ended_takes_no_part() -> None:
    """Its loss is by far the worst; the others must be moved as if it were not there, and keep their sum."""
    ended = frozenset({ZH[1]})
    begun = start(config(), SHARES, NONE, FIRST)
    steered = steer(config(), begun.steering, SHARES, ended, second(3.1, 9.0, 2.9))
    assert steered.shares[ZH[1]] == 0.2
    assert steered.shares[ZH[0]] + steered.shares[ZH[2]] == pytest.approx(0.4)
    rows = {row["stream"]: row for row in steered.rows}
    assert rows["zh/web/b"]["reason"] == "ended, takes no part"
    assert rows["zh/web/a"]["delta"] == pytest.approx(1.0)
    assert rows["zh/web/b"]["change"] == pytest.approx(6.0)
    assert steered.shares[ZH[0]] == pytest.approx(0.4 * (0.75 * 1.5) / (0.75 * 1.5 + 0.25 * 0.5))


def test_a_topic_without_documents_takes_no_part() -> None:
    shares = {ZH[0]: 0.35, ZH[1]: 0.25, ZH[2]: 0.0, EN: 0.4}
    rule = TopicPerplexity(noise_gate=0.0, bounds=Bounds(floor=0.1))
    begun = start(config(rule), shares, NONE, FIRST)
    steered = steer(config(rule), begun.steering, shares, NONE, second(3.1, 3.0, 9.0))
    assert steered.shares[ZH[2]] == 0
    assert steered.shares[ZH[0]] > 0.35
    assert steered.rows[2]["reason"] == "no share, takes no part"


def test_what_is_left_after_topics_ended_may_not_fit_the_bounds_and_stays() -> None:
    rule = TopicPerplexity(noise_gate=0.0, bounds=Bounds(cap=0.4))
    begun = start(config(rule), SHARES, NONE, FIRST)
    steered = steer(config(rule), begun.steering, SHARES, frozenset(ZH[:1]), second(3.1, 3.2, 2.9))
    assert steered.shares == pytest.approx(SHARES)
    assert "kept, since topics have ended: 2 topics cannot" in steered.rows[1]["reason"]
    none_left = steer(config(rule), begun.steering, SHARES, frozenset(ZH), second(3.1, 3.2, 2.9))
    assert none_left.shares == SHARES


def test_the_effective_shares_follow_the_decision_on_live_topics() -> None:
    sampler = Sampler(MIXTURE, {ZH[0]: 100, ZH[1]: 2, ZH[2]: 100, EN: 300}, SHARES)
    sampler.next(40)
    assert sampler.ended == {ZH[1]}
    begun = start(config(), SHARES, NONE, FIRST)
    steered = steer(config(), begun.steering, sampler.shares, sampler.ended, second(3.1, 3.0, 2.9))
    sampler.set_shares(steered.shares)
    served = sampler.effective_shares
    assert served[ZH[1]] == 0
    assert served[ZH[0]] / served[ZH[2]] == pytest.approx((0.75 * 1.5) / (0.25 * 0.5))
    assert served[ZH[0]] + served[ZH[2]] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("controller", "message"),
    [
        (TopicPerplexity(weights={"z": 1.0}), r"names \['z'\], which no controlled source has"),
        (TopicPerplexity(bounds=Bounds(floor=0.4)), "3 topics cannot have shares"),
        (Velocity(targets={"a": 1.0}), r"targets name \['a'\], not 'b'"),
        (ExcessLoss(references={"c": 1.0}), r"references name \['c'\], not 'a'"),
    ],
)
def test_what_does_not_fit_is_told_before_training(controller: Controller, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        start(config(controller), SHARES, NONE, FIRST)


def test_a_name_that_one_of_two_sources_has_is_no_mistake() -> None:
    shares = {**SHARES, EN: 0.2, StreamKey("en", "wiki", "x"): 0.2}
    rule = TopicPerplexity(weights={"x": 1.5, "a": 0.5})
    start(config(rule, controlled_sources=("web", "wiki")), shares, NONE, FIRST)


@dataclass(frozen=True)
class Forgetful:
    def next_shares(self, observed: Any) -> Decision:
        return replace(TopicPerplexity().next_shares(observed), terms=())


def test_a_controller_that_leaves_out_topics_is_named() -> None:
    begun = start(config(), SHARES, NONE, FIRST)
    with pytest.raises(ConfigError, match=r"Forgetful\(\) decides on \[\], not on \['a', 'b', 'c'\]"):
        steer(config(Forgetful()), begun.steering, SHARES, NONE, FIRST)


@pytest.mark.parametrize("rule", [OnlineMixing(), ExcessLoss(references=dict.fromkeys("abc", 2.0))])
def test_the_state_between_decisions_survives_json(rule: Controller) -> None:
    losses = [second(2.9, 2.8, 2.7), second(2.7, 2.7, 2.7), second(2.5, 2.6, 2.7)]
    straight = resumed = start(config(rule), SHARES, NONE, FIRST)
    for seen in losses:
        straight = steer(config(rule), straight.steering, straight.shares, NONE, seen)
        state = Steering.from_json(json.loads(json.dumps(resumed.steering.to_json())))
        assert state == resumed.steering
        resumed = steer(config(rule), state, resumed.shares, NONE, seen)
    assert resumed == straight
    assert straight.steering.decisions == {str(key): 3 for key in ZH}
    assert all(row["memory"] > 0 for row in straight.rows[:3])


@dataclass(frozen=True, slots=True)
class Pausing:
    """Refuses what is left when topics have ended, unless the last topic has ended too."""

    rule: ExcessLoss

    def next_shares(self, observed: Any) -> Decision:
        if len(observed) == 2:
            raise ConfigError("not these two")
        return self.rule.next_shares(observed)


def test_a_mean_share_counts_only_the_decisions_that_were_made() -> None:
    """Between the first and the third decision the shares were kept, and nothing was decided on any topic."""
    rule = Pausing(ExcessLoss(references=dict.fromkeys("abc", 2.0), smoothing=0.0))
    begun = start(config(rule), SHARES, NONE, FIRST)
    first = steer(config(rule), begun.steering, begun.shares, NONE, second(2.5, 2.0, 2.0))
    kept = steer(config(rule), first.steering, first.shares, frozenset(ZH[:1]), second(2.5, 2.0, 2.0))
    assert "kept" in kept.rows[1]["reason"]
    assert kept.steering.memory == first.steering.memory
    last = steer(config(rule), kept.steering, kept.shares, frozenset(ZH[:2]), second(2.5, 2.0, 2.0))
    share = first.shares[ZH[2]] / math.fsum(first.shares[key] for key in ZH)
    assert last.steering.memory[str(ZH[2])] == pytest.approx((share + 1.0) / 2)
    assert last.steering.decisions == {str(ZH[0]): 1, str(ZH[1]): 1, str(ZH[2]): 2}


def test_the_guard_raises_replay_and_every_row_says_so() -> None:
    guarded = config(Fixed(), guard=GUARD)
    begun = start(guarded, SHARES, NONE, FIRST)
    steered = steer(guarded, begun.steering, SHARES, NONE, second(3.0, 3.0, 3.0, held=2.1))
    assert steered.shares[EN] == pytest.approx(0.5)
    assert steered.shares[ZH[0]] == pytest.approx(0.25)
    said = "guard: en/pubmed is +0.1000 ± 0.0000 nats a token against the start, beyond 0.05: replay raised to 0.5"
    assert {row["reason"] for row in steered.rows} == {f"not controlled; {said}"}
    after = steer(guarded, steered.steering, steered.shares, NONE, second(3.0, 3.0, 3.0))
    assert after.shares == pytest.approx(SHARES)
    calm = steer(guarded, after.steering, after.shares, NONE, second(3.0, 3.0, 3.0))
    assert calm.shares == after.shares
    assert {row["reason"] for row in calm.rows} == {"not controlled"}


def test_the_guard_stands_above_the_controller() -> None:
    guarded = config(guard=GUARD)
    alone, both = (
        steer(c, start(c, SHARES, NONE, FIRST).steering, SHARES, NONE, second(3.1, 3.0, 2.9, held=2.1)).shares
        for c in (config(), guarded)
    )
    assert {key: both[key] / 0.5 for key in ZH} == pytest.approx({key: alone[key] / 0.6 for key in ZH})
    assert both[EN] == pytest.approx(0.5)


def test_the_guard_stops_training_and_knows_when_replay_has_ended() -> None:
    guarded = config(guard=GUARD)
    begun = start(guarded, SHARES, NONE, FIRST)
    lost = steer(guarded, begun.steering, SHARES, NONE, second(3.0, 3.0, 3.0, held=2.6))
    assert lost.verdict
    assert lost.verdict.stop
    for gone in ({EN}, set(ZH)):  # without others, replay is all that is served already
        ended = steer(guarded, begun.steering, SHARES, frozenset(gone), second(3.0, 3.0, 3.0, held=2.1))
        assert ended.shares[EN] == 0.4
        assert ended.rows[0]["reason"].endswith("replay cannot be raised")


def test_protected_text_that_is_not_held_out_is_refused() -> None:
    guarded = config(guard=replace(GUARD, protected=("pubmed", "books")))
    with pytest.raises(ConfigError, match=r"protects \['books'\], of which no text is held out"):
        start(guarded, SHARES, NONE, FIRST)
    few = {**FIRST, **measured({HELD: 2.0}, documents=2)}
    with pytest.raises(ConfigError, match="protects en/pubmed, of which 2 documents are held out"):
        start(config(guard=GUARD), SHARES, NONE, few)
