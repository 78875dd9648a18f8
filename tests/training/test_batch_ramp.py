from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.training.batch_ramp import BatchRamp, StepPlan, plan_steps


@st.composite
def plans(draw: st.DrawFn) -> StepPlan:
    """Plans with a ramp and without one, over budgets that are no multiples of a step."""
    budget, start, increase = draw(st.integers(1, 3_000)), draw(st.integers(1, 6)), draw(st.integers(1, 5))
    ramp = BatchRamp(start=start, increase=increase, tokens=draw(st.integers(1, budget)))
    full = start + increase * draw(st.integers(1, 6))
    return plan_steps(budget, draw(st.integers(1, 40)), full, draw(st.sampled_from([ramp, None])))


@given(plans())
def test_the_steps_sum_to_the_budget_rounded_up_to_whole_steps(plan: StepPlan) -> None:
    sizes = [plan.tokens_of(step) for step in range(plan.num_steps)]
    assert [plan.tokens_before(step) for step in range(plan.num_steps + 1)] == list(accumulate(sizes, initial=0))
    assert plan.tokens == sum(sizes)
    assert 0 <= plan.tokens - plan.budget < sizes[-1]


@given(plans())
def test_steps_never_get_smaller_and_end_at_their_full_size(plan: StepPlan) -> None:
    sizes = [plan.sequences_of(step) for step in range(plan.num_steps)]
    assert sizes == sorted(sizes)
    assert plan.sequences_of(10**9) == plan.stretches[-1].sequences


@given(plans(), st.integers(0, 3_000))
def test_the_steps_within_some_tokens_are_the_most_that_consume_no_more(plan: StepPlan, tokens: int) -> None:
    steps = plan.steps_within(tokens)
    assert plan.tokens_before(steps) <= tokens < plan.tokens_before(steps + 1)


@given(st.integers(1, 10**14), st.integers(1, 8_192), st.integers(1, 4_096))
def test_without_a_ramp_all_steps_are_alike(budget: int, length: int, sequences: int) -> None:
    plan = plan_steps(budget, length, sequences)
    assert plan.num_steps == -(-budget // (length * sequences))
    assert plan.tokens_before(12_345) == 12_345 * length * sequences
    assert plan.steps_within(plan.tokens * 2 // 3) == plan.num_steps * 2 // 3
    assert plan.sequences_of(0) == plan.sequences_of(plan.num_steps) == sequences


def test_each_size_of_a_ramp_is_kept_for_an_equal_part_of_its_tokens() -> None:
    plan = plan_steps(1_000, 10, 8, BatchRamp(start=2, increase=2, tokens=360))
    assert [plan.sequences_of(step) for step in range(plan.num_steps)] == [2] * 6 + [4] * 3 + [6] * 2 + [8] * 8
    assert [stretch.first_token for stretch in plan.stretches] == [0, 120, 240, 360]


def test_a_size_whose_part_is_over_before_it_is_reached_is_left_out() -> None:
    plan = plan_steps(100, 10, 4, BatchRamp(start=1, increase=1, tokens=3))
    assert [plan.sequences_of(step) for step in range(plan.num_steps)] == [1, 4, 4, 4]


@pytest.mark.parametrize("name", ["start", "increase", "tokens"])
def test_a_ramp_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        BatchRamp(**{"start": 1, "increase": 1, "tokens": 1, name: 0})


def test_a_ramp_that_does_not_lead_to_the_full_size_within_the_budget_is_refused() -> None:
    for full in (2, 1, 5):
        with pytest.raises(ConfigError, match=f"in steps of 2 does not lead to {full}"):
            plan_steps(100, 1, full, BatchRamp(start=2, increase=2, tokens=10))
    with pytest.raises(ConfigError, match="takes 101 tokens and the budget is 100"):
        plan_steps(100, 1, 4, BatchRamp(start=2, increase=2, tokens=101))
