"""A text to be written, and what is asked about it next: generation and verification as one stream of requests."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from regraft.corpus.document import Reject
from regraft.lm.client.chat import ChatRequest
from regraft.synthesis.answered import UNREADABLE, answer_of
from regraft.synthesis.genres import Given
from regraft.synthesis.judge import JudgeConfig, judge_request, second_request
from regraft.synthesis.pairs import Pair
from regraft.synthesis.prompts import Prompt
from regraft.synthesis.solver import SolverConfig
from regraft.synthesis.verify import NUMBER, Demands, Measures, measure
from regraft.synthesis.writer import WriterConfig

if TYPE_CHECKING:
    from regraft.lm.client.responses import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What a text must pass. None of it is part of the request for the text."""

    demands: Demands = field(default_factory=Demands)
    judge: JudgeConfig | None = None
    """Asked about each text that meets the demands, and shown its snippet; None asks nobody."""
    solver: SolverConfig | None = None
    """Solves the problems of some disciplines again where the text meets the demands. Their answers may then have
    numbers of their own. None asks nobody."""

    @property
    def requests_per_text(self) -> int:
        """How many there are, if each text meets the demands, is solved again, and is judged at once."""
        return 1 + (self.judge is not None) + (self.solver.num_solutions if self.solver else 0)

    @property
    def models(self) -> tuple[str, ...]:
        """Those that are asked for it."""
        return tuple(asked.model for asked in (self.judge, self.solver) if asked is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A text to be written from a document."""

    writer: WriterConfig
    prompt: Prompt
    given: Given
    parent: str
    """Id of the document."""
    place: str
    """What tells the task from all others of its step."""
    meta: Mapping[str, str] = field(default_factory=dict[str, str])
    """What is known of it beforehand, for the `meta` of its document."""

    @property
    def discipline(self) -> str:
        """The name of its discipline; empty where there is none."""
        return self.meta.get("discipline", "")

    @property
    def request(self) -> ChatRequest:
        """The request for the text; made anew each time, so that a task is small."""
        return self.writer.request(self.prompt.messages(self.given), self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A text as it was read out of an answer, with every demand that it does not meet."""

    text: str
    """What the model wrote, where it has not the form."""
    rejects: tuple[Reject, ...]
    pair: Pair | None = None
    """None when it has not the form of its genre."""
    measures: Measures | None = None
    solved_again: bool = False
    """Whether a solver is to bear out its answer."""


_ENDS, _TAIL = " \n*#-`", 40


class Reader:
    """Reads texts out of answers. What was measured is kept until it is read again, some 500 bytes a text."""

    def __init__(self, checks: Checks) -> None:
        self.checks = checks
        self._measures: dict[str, Measures] = {}

    def read(self, task: Task, exchange: "Exchange") -> Written:
        """Return what an answer makes of a task."""
        known = self._measures.pop(exchange.key, None)
        written = read_text(task, exchange, self.checks, known)
        if known is None and written.measures is not None:
            self._measures[exchange.key] = written.measures
        return written


def read_text(task: Task, exchange: "Exchange", checks: Checks, known: Measures | None = None) -> Written:
    """Return what an answer makes of a task: a function of the stored bytes.

    Args:
        task: what was asked for.
        exchange: what was answered.
        checks: what the text must pass.
        known: what was measured in it before.
    """
    answer = answer_of(exchange, task.writer.max_tokens)
    if isinstance(answer, str):
        return Written(text="", rejects=(Reject("unreadable", answer),))
    try:
        pair = task.prompt.genre.read(answer.text, task.given)
    except UNREADABLE as error:
        pair = Reject("unreadable", f"{type(error).__name__}: {error}")
    if isinstance(pair, Reject):
        cut = Reject("truncated", pair.detail) if answer.finish_reason == "length" else pair
        return Written(text=answer.text, rejects=(cut,))
    solved_again = checks.solver is not None and checks.solver.concerns(pair, task.discipline)
    cut = answer.text.rstrip(_ENDS).endswith(pair.text[-_TAIL:].rstrip(_ENDS))  # else what was cut stands behind it
    found = known or measure(pair, task.given.snippet, answer.finish_reason if cut else "")
    unmet = checks.demands.rejects(found, task.prompt.language)
    if solved_again:  # a new number is a result, and whether it is right is told by other solutions
        unmet = [reject for reject in unmet if reject.reason != NUMBER]
    return Written(text=pair.text, rejects=tuple(unmet), pair=pair, measures=found, solved_again=solved_again)


def judgement_of(task: Task, written: Written, checks: Checks) -> ChatRequest | None:
    """Return the request for a judgement on a text, None when there is no judge or a demand is not met."""
    if checks.judge is None or written.pair is None or written.rejects:
        return None
    pair = written.pair if written.pair.problem else replace(written.pair, problem=task.prompt.task)
    return judge_request(checks.judge, task.given.snippet, pair)


def solutions_of(written: Written, checks: Checks) -> tuple[ChatRequest, ...]:
    """Return the requests for other solutions of the problem of a text, none when it is not to be solved again."""
    if checks.solver is None or written.pair is None or written.rejects or not written.solved_again:
        return ()
    return checks.solver.requests(written.pair.problem)


class Stream:
    """Requests for texts, each followed by those for its judgement and other solutions as soon as it is answered."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.checks = reader, reader.checks
        self._open: dict[str, Task] = {}
        self._judging: set[str] = set()

    def requests(self, tasks: Iterable[Task]) -> Iterator[ChatRequest]:
        """Yield the requests for the texts of some tasks, in order."""
        for task in tasks:
            request = task.request
            if self.checks.judge or self.checks.solver:
                self._open[request.key] = task
            yield request

    def follow(self, request: ChatRequest, exchange: "Exchange") -> Iterator[ChatRequest]:
        """Yield what is to be asked once a request is answered."""
        if (task := self._open.pop(request.key, None)) is not None:
            written = self.reader.read(task, exchange)
            if judgement := judgement_of(task, written, self.checks):
                self._judging.add(judgement.key)
                yield judgement
            yield from solutions_of(written, self.checks)
        elif request.key in self._judging and self.checks.judge:
            self._judging.remove(request.key)
            if again := second_request(self.checks.judge, request, exchange):
                yield again
