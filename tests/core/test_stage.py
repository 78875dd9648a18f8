from typing import Any

import pytest

from regraft.core import ConfigError, Step, walk
from tests.core.stages import FailConfig, NumbersConfig, SumConfig, add_up, fail_halfway, write_numbers


def numbers(name: str = "numbers", count: int = 3) -> Step[NumbersConfig]:
    return write_numbers.step(name, NumbersConfig(count=count))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: write_numbers.step("n", SumConfig()),
            r"step 'n': stage write_numbers takes a NumbersConfig, not a SumConfig",
        ),
        (lambda: write_numbers.step("n", NumbersConfig(count="3")), "step 'n': config.count is '3'"),  # pyright: ignore[reportArgumentType]
        (
            lambda: write_numbers.step("n", NumbersConfig(count=3, factor=float("nan"))),
            "step 'n': config.factor is nan",
        ),
        (lambda: add_up.step("s", SumConfig()), "step 's': input 'numbers' is missing"),
        (
            lambda: add_up.step("s", SumConfig(), numbres=numbers()),
            r"no input 'numbres'; it has \['numbers', 'weights'\]",
        ),
        (lambda: add_up.step("s", SumConfig(), numbers="x"), "input 'numbers' is a str; give a step"),  # pyright: ignore[reportArgumentType]
        (
            lambda: add_up.step("s", SumConfig(), numbers=numbers(), weights=numbers()),
            "input 'weights' takes annotation, but step 'numbers' makes files",
        ),
        (
            lambda: add_up.step("s", SumConfig(), numbers=numbers(), weights=[numbers(), numbers()]),
            "input 'weights' takes one step, not 2",
        ),
    ],
)
def test_wrong_wiring_fails_when_the_recipe_is_built(build: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build()


def test_walk_puts_inputs_first_and_each_step_once() -> None:
    a, b = numbers("a"), numbers("b")
    total = add_up.step("total", SumConfig(), numbers=[b, a, b])
    assert [s.name for s in walk([total, a])] == ["b", "a", "total"]


def test_a_long_chain_of_steps_is_no_trouble() -> None:
    step: Step[Any] = add_up.step("0", SumConfig(), numbers=numbers())
    for i in range(1, 3000):
        step = add_up.step(str(i), SumConfig(), numbers=step)
    assert [s.name for s in walk([step])][:3] == ["numbers", "0", "1"]


def test_two_steps_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="Two steps are named 'a'"):
        walk([numbers("a"), numbers("a")])


def test_a_stage_without_a_dataclass_config_is_our_mistake() -> None:
    from regraft.core import Context, Kind, Metrics, stage

    with pytest.raises(TypeError, match="annotated with a dataclass"):

        @stage(version=1, makes=Kind.CORPUS)
        def wrong(config: int, ctx: Context) -> Metrics:  # pyright: ignore[reportUnusedFunction]
            return {}


def test_describe_is_kept() -> None:
    assert write_numbers.describe is not None
    assert write_numbers.describe(NumbersConfig(count=4)) == "4 numbers"
    assert fail_halfway.step("f", FailConfig()).stage.describe is None
