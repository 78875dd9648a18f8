"""What `code_qa` asks, and what is run of each answer as soon as it is stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from regraft.corpus.document import Reject
from regraft.lm.client.chat import ChatRequest
from regraft.synthesis.answered import UNREADABLE, answer_of
from regraft.synthesis.code.code_qa import CodeQaConfig
from regraft.synthesis.code.mutants import mutants
from regraft.synthesis.code.pairs import CodePair, parse_code
from regraft.synthesis.code.problems import Problem, drawn, shots
from regraft.synthesis.genres import Given
from regraft.synthesis.prompts import Example
from regraft.synthesis.sandbox.program import Program
from regraft.synthesis.sandbox.trials import Trials
from regraft.synthesis.sandbox.verdict import Verdict

if TYPE_CHECKING:
    from regraft.lm.client.responses import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTask:
    """A problem to be written after others."""

    config: CodeQaConfig
    number: int
    theme: str
    shots: tuple[Problem, ...]

    @property
    def request(self) -> ChatRequest:
        """The request for the problem; made anew each time, so that a task is small."""
        examples = tuple(Example(discipline=shown.theme, snippet="", answer=shown.text) for shown in self.shots)
        prompt = replace(self.config.prompt, examples=examples)
        messages = prompt.messages(Given(snippet="", discipline=self.theme))
        return self.config.writer.request(messages, f"{self.config.seed} {self.number}")


def tasks_of(config: CodeQaConfig, problems: Sequence[Problem]) -> Iterator[CodeTask]:
    """Yield the tasks in order: each shows some seed problems, and asks for one on a theme."""
    for number in range(config.num_requests):
        theme = config.themes[drawn(f"{config.seed} theme {number}", len(config.themes))]
        shown = shots(problems, config.shots, config.seed, number)
        yield CodeTask(config=config, number=number, theme=theme, shots=shown)


def read_code(config: CodeQaConfig, exchange: "Exchange") -> tuple[CodePair | None, tuple[Reject, ...], str]:
    """Return the problem in an answer, every reason not to run it, and what the model wrote."""
    answer = answer_of(exchange, config.writer.max_tokens)
    if isinstance(answer, str):
        return None, (Reject("unreadable", answer),), ""
    try:
        pair = parse_code(answer.text)
    except UNREADABLE as error:
        pair = Reject("unreadable", f"{type(error).__name__}: {error}")
    if isinstance(pair, Reject):
        cut = Reject("truncated", pair.detail) if answer.finish_reason == "length" else pair
        return None, (cut,), answer.text
    unmet = config.demands.rejects(pair, answer.finish_reason, config.prompt.language)
    if not unmet:
        unmet = _unreadable(pair)
    return pair, tuple(unmet), answer.text


def _unreadable(pair: CodePair) -> list[Reject]:
    """Return why no program can be made of a solution that is one by its syntax."""
    try:
        programs(pair)
    except UNREADABLE as error:
        return [Reject("unreadable", f"{type(error).__name__}: {error}")]
    return []


def programs(pair: CodePair) -> tuple[Program, ...]:
    """Return a solution with its tests, then the same tests with solutions that solve nothing."""
    return tuple(Program(solution=one, tests=pair.tests) for one in (pair.solution, *mutants(pair.solution)))


def failure(pair: CodePair, trials: Trials) -> tuple[Reject, ...]:
    """Return why a solution is not shown to be right, nothing when it passes tests that can fail."""
    whole, *others = programs(pair)
    trial = trials.of(whole)
    if trial.verdict is not Verdict.PASSED:
        return (Reject(f"program_{trial.verdict}", trial.reason),)
    if any(trials.of(other).verdict is Verdict.PASSED for other in others):
        return (Reject("tests_prove_nothing", "functions that return nothing, or what they are given, pass them too"),)
    return ()


class CodeStream:
    """Has programs run while the model writes the next ones."""

    def __init__(self, config: CodeQaConfig, trials: Trials) -> None:
        self.config, self.trials = config, trials

    def follow(self, request: ChatRequest, exchange: "Exchange") -> Iterator[ChatRequest]:
        """Start the programs of an answer; nothing more is asked."""
        pair, rejects, _ = read_code(self.config, exchange)
        if pair is not None and not rejects:
            for program in programs(pair):
                self.trials.start(program)
        return iter(())
