import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.sampler import MixtureExhausted, Sampler
from regraft.mixture.shares import Group, Mixture, Source, StreamKey

ZH1, ZH2 = StreamKey("zh", "web-zh", "Law"), StreamKey("zh", "web-zh", "Physics")
EN1, EN2 = StreamKey("en", "web-en", "Law"), StreamKey("en", "books", "Law")
GROUPS = (
    Group(name="zh", share=0.2, sources=(Source(name="web-zh", share=1.0),)),
    Group(name="en", share=0.8, sources=(Source(name="web-en", share=0.5), Source(name="books", share=0.5))),
)
MIXTURE = Mixture(groups=GROUPS)
any_weights = st.lists(st.floats(1e-4, 1) | st.just(0.0), min_size=2, max_size=12).filter(lambda w: sum(w) > 0.01)


def mixture_of(count: int) -> tuple[Mixture, list[StreamKey]]:
    keys = [StreamKey("en", "web", f"topic {i:02}") for i in range(count)]
    return Mixture(groups=(Group(name="all", share=1.0, sources=(Source(name="web", share=1.0),)),)), keys


def shares_of(keys: list[StreamKey], weights: list[float]) -> dict[StreamKey, float]:
    return {key: w / sum(weights) for key, w in zip(keys, weights, strict=True)}


def count(served: list[tuple[StreamKey, int]]) -> dict[StreamKey, int]:
    return {key: sum(k == key for k, _ in served) for key, _ in served}


@given(any_weights, st.integers(1, 200))
def test_while_shares_stay_no_stream_is_a_sequence_away_from_its_ideal(weights: list[float], total: int) -> None:
    mixture, keys = mixture_of(len(weights))
    shares = shares_of(keys, weights)
    sampler = Sampler(mixture, dict.fromkeys(keys, 10_000), shares)
    for n in range(1, total + 1):
        sampler.next(1)
        assert all(abs(sampler.served[key] - n * shares[key]) < 1 + 1e-6 for key in keys)


@settings(max_examples=50)
@given(st.integers(2, 8), st.data())
def test_credits_carry_on_across_share_changes(size: int, data: st.DataObject) -> None:
    mixture, keys = mixture_of(size)
    sampler = Sampler(mixture, dict.fromkeys(keys, 10_000))
    ideal = dict.fromkeys(keys, 0.0)
    for _ in range(data.draw(st.integers(1, 8))):
        shares = shares_of(keys, data.draw(st.lists(st.floats(0.01, 1), min_size=size, max_size=size)))
        sampler.set_shares(shares)
        length = data.draw(st.integers(1, 60))
        sampler.next(length)
        ideal = {key: ideal[key] + length * shares[key] for key in keys}
        # A change may make what is owed to several streams due at once, and only one is served at a time.
        assert all(abs(ideal[key] - sampler.served[key]) < 1.5 for key in keys)
        assert sampler.credits == pytest.approx({key: ideal[key] - sampler.served[key] for key in keys}, abs=1e-6)
        assert sum(sampler.served.values()) == pytest.approx(sum(ideal.values()))


def test_the_order_inside_a_stream_is_kept_and_the_batch_size_does_not_matter() -> None:
    supply = dict.fromkeys([ZH1, ZH2, EN1, EN2], 50)
    whole = Sampler(MIXTURE, supply).next(100)
    for batch in (1, 4, 20):
        sampler = Sampler(MIXTURE, supply)
        assert [item for _ in range(100 // batch) for item in sampler.next(batch)] == whole
    for key in supply:
        indices = [i for k, i in whole if k == key]
        assert indices == list(range(len(indices)))
    assert count(whole) == {ZH1: 10, ZH2: 10, EN1: 40, EN2: 40}


@settings(max_examples=30)
@given(st.integers(0, 60), st.integers(1, 60))
def test_a_restored_sampler_goes_on_exactly(before: int, after: int) -> None:
    supply = {ZH1: 7, ZH2: 20, EN1: 60, EN2: 60}
    sampler = Sampler(MIXTURE, supply)
    sampler.next(before)
    again = Sampler.restore(MIXTURE, supply, json.loads(json.dumps(sampler.state())))
    assert again.next(after) == sampler.next(after)
    assert again.state() == sampler.state()


def test_a_state_of_other_streams_is_refused() -> None:
    state = Sampler(MIXTURE, dict.fromkeys([ZH1, EN1, EN2], 5)).state()
    with pytest.raises(ConfigError, match="state has the streams"):
        Sampler.restore(MIXTURE, dict.fromkeys([ZH1, ZH2, EN1, EN2], 5), state)


def test_an_ended_stream_passes_its_share_inside_its_source_so_that_languages_keep_theirs() -> None:
    sampler = Sampler(MIXTURE, {ZH1: 3, ZH2: 100, EN1: 4, EN2: 300}, {ZH1: 0.1, ZH2: 0.1, EN1: 0.4, EN2: 0.4})
    served = count(sampler.next(200))
    assert (served[ZH1], served[EN1]) == (3, 4)
    assert abs(served[ZH1] + served[ZH2] - 40) <= 1
    assert sum(sampler.credits.values()) == pytest.approx(0, abs=1e-9)  # nothing owed is forgotten
    assert [(e.stream, e.what, e.detail) for e in sampler.events] == [
        ("en/web-en/Law", "ended", "its share passes to en/books/Law"),
        ("zh/web-zh/Law", "ended", "its share passes to zh/web-zh/Physics"),
    ]
    for shares in (sampler.shares, {ZH1: 0.15, ZH2: 0.05, EN1: 0.1, EN2: 0.7}):
        sampler.set_shares(shares)
        assert sampler.effective_shares == pytest.approx({ZH1: 0.0, ZH2: 0.2, EN1: 0.0, EN2: 0.8})


def test_a_whole_group_that_ends_passes_to_the_others() -> None:
    sampler = Sampler(MIXTURE, {ZH1: 2, EN1: 100, EN2: 100})
    sampler.next(100)
    assert sampler.effective_shares == pytest.approx({ZH1: 0.0, EN1: 0.5, EN2: 0.5})


def test_every_sequence_is_served_once_and_then_the_mixture_is_exhausted() -> None:
    supply = {ZH1: 3, ZH2: 5, EN1: 7, EN2: 11}
    sampler = Sampler(MIXTURE, supply)
    served = sampler.next(26)
    assert sorted(served) == sorted((key, i) for key, n in supply.items() for i in range(n))
    with pytest.raises(MixtureExhausted, match="All streams ended after 26"):
        sampler.next(1)


def test_a_source_may_repeat_up_to_its_epochs_and_says_so() -> None:
    chinese = replace(GROUPS[0], sources=(Source(name="web-zh", share=1.0, max_epochs=2.5),))
    mixture = Mixture(groups=(chinese, GROUPS[1]))
    sampler = Sampler(mixture, {ZH1: 2, EN1: 100, EN2: 100})
    served = sampler.next(100)
    assert [i for key, i in served if key == ZH1] == [0, 1, 0, 1, 0]
    assert [(e.what, e.detail) for e in sampler.events] == [
        ("repeats", "epoch 2 begins"),
        ("repeats", "epoch 3 begins"),
        ("ended", "its share passes to en/books/Law, en/web-en/Law"),
    ]


def test_stop_names_the_stream_and_serves_nothing_of_that_call() -> None:
    sampler = Sampler(Mixture(groups=GROUPS, exhausted="stop"), {ZH1: 2, EN1: 100, EN2: 100})
    sampler.next(9)
    before = sampler.state()
    with pytest.raises(MixtureExhausted, match="zh/web-zh/Law has ended after 2 sequences of its own"):
        sampler.next(10)
    assert sampler.state() == before


def test_a_share_set_to_zero_is_not_served_and_its_credit_stays_in_the_source() -> None:
    sampler = Sampler(MIXTURE, {ZH1: 50, ZH2: 50, EN1: 50, EN2: 50})
    sampler.next(8)
    sampler.set_shares({ZH1: 0.0, ZH2: 0.2, EN1: 0.4, EN2: 0.4})
    assert ZH1 not in count(sampler.next(92))
    assert abs(sampler.served[ZH1] + sampler.served[ZH2] - 20) <= 1
    assert sum(sampler.credits.values()) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shares", [{ZH1: 1.0}, {ZH1: 0.5, EN1: 0.2, EN2: 0.2}, {ZH1: -0.2, EN1: 0.6, EN2: 0.6}])
def test_wrong_shares_are_refused(shares: dict[StreamKey, float]) -> None:
    sampler = Sampler(MIXTURE, {ZH1: 5, EN1: 5, EN2: 5})
    with pytest.raises(ConfigError):
        sampler.set_shares(shares)


def test_shares_that_a_mixture_lets_pass_are_served() -> None:
    """Each level may miss 1 by a little, and both together by more."""
    halves = (0.5, 0.5 + 9e-10)
    sources = [tuple(Source(name=f"{g}{s}", share=half) for s, half in enumerate(halves)) for g in range(2)]
    groups = tuple(Group(name=str(g), share=half, sources=sources[g]) for g, half in enumerate(halves))
    supply = {StreamKey("en", source.name, "-"): 10 for group in groups for source in group.sources}
    assert len(Sampler(Mixture(groups=groups), supply).next(40)) == 40


def test_the_order_is_pinned() -> None:
    served = Sampler(MIXTURE, dict.fromkeys([ZH1, EN1, EN2], 10)).next(15)
    assert "".join({ZH1: "z", EN1: "w", EN2: "b"}[key] for key, _ in served) == "bwbzwbwbzwbwbzw"


@settings(max_examples=60)
@given(st.data())
def test_no_stream_is_a_sequence_away_and_no_group_two(data: st.DataObject) -> None:
    """Many topics of small shares must not starve a language."""
    topics = data.draw(st.integers(1, 6))
    share = data.draw(st.floats(0.05, 0.95))
    groups = (
        Group(name="zh", share=share, sources=(Source(name="web-zh", share=1.0),)),
        Group(name="en", share=1 - share, sources=GROUPS[1].sources),
    )
    keys = [StreamKey("zh", "web-zh", f"topic {i}") for i in range(topics)]
    keys += [StreamKey("en", source, f"topic {i}") for source in ("web-en", "books") for i in range(topics)]
    sampler = Sampler(Mixture(groups=groups), dict.fromkeys(keys, 10_000))
    for n in range(1, 80):
        sampler.next(1)
        chinese = sum(served for key, served in sampler.served.items() if key.language == "zh")
        assert abs(chinese - n * share) < 2
        assert all(abs(sampler.served[key] - n * sampler.shares[key]) < 1 + 1e-6 for key in keys)


def test_five_small_topics_together_get_their_share() -> None:
    groups = tuple(replace(group, share=share) for group, share in zip(GROUPS, (0.1, 0.9), strict=True))
    supply = {StreamKey("zh", "web-zh", f"topic {i}"): 10 for i in range(5)} | {EN1: 20, EN2: 20}
    served = Sampler(Mixture(groups=groups), supply).next(20)
    assert sum(key.language == "zh" for key, _ in served) == 2


def test_shares_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match="sum to nan"):
        Sampler(MIXTURE, {ZH1: 1, EN1: 1, EN2: 1}).set_shares({ZH1: float("nan"), EN1: 0.5, EN2: 0.5})


def test_a_source_with_a_slash_would_be_another_stream() -> None:
    with pytest.raises(ConfigError, match="no '/' in its name"):
        StreamKey("zh", "a/b", "c")


@pytest.mark.parametrize("num_ranks", [1, 2, 4, 8])
def test_ranks_that_ask_each_for_themselves_share_out_one_order(num_ranks: int) -> None:
    supply = {ZH1: 9, ZH2: 80, EN1: 300, EN2: 300}
    samplers = [Sampler(MIXTURE, supply) for _ in range(num_ranks)]
    order: list[tuple[StreamKey, int]] = []
    for step in range(10):
        if step == 5:
            for sampler in samplers:
                sampler.set_shares({ZH1: 0.02, ZH2: 0.28, EN1: 0.3, EN2: 0.4})
        parts = [sampler.next(16)[rank::num_ranks] for rank, sampler in enumerate(samplers)]
        order += [parts[n % num_ranks][n // num_ranks] for n in range(16)]
    alone = Sampler(MIXTURE, supply)
    expected = alone.next(80)
    alone.set_shares({ZH1: 0.02, ZH2: 0.28, EN1: 0.3, EN2: 0.4})
    assert order == expected + alone.next(80)


def test_the_order_does_not_depend_on_the_process() -> None:
    code = (
        "from regraft.mixture.sampler import Sampler; from tests.mixture.test_sampler import *;"
        "print([str(k) for k, _ in Sampler(MIXTURE, {EN2: 300, ZH2: 80, ZH1: 9, EN1: 300}).next(200)])"
    )
    environments = [{**os.environ, "PYTHONHASHSEED": seed} for seed in ("1", "2")]  # sets and hashes in another order
    orders = [subprocess.run([sys.executable, "-c", code], env=e, check=True, stdout=-1).stdout for e in environments]
    here = [str(key) for key, _ in Sampler(MIXTURE, {ZH1: 9, ZH2: 80, EN1: 300, EN2: 300}).next(200)]
    assert [order.decode().strip() for order in orders] == [str(here)] * 2
