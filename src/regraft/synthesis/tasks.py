"""A text to be written, and what is asked about it next: generation and judgement as one stream of requests."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from regraft.corpus.document import Reject
from regraft.lm.chat import Answer, ChatRequest, parse_answer
from regraft.synthesis.genres import Given
from regraft.synthesis.judge import JudgeConfig, judge_request
from regraft.synthesis.pairs import Pair
from regraft.synthesis.prompts import Prompt
from regraft.synthesis.verify import Demands, Measures, measure
from regraft.synthesis.writer import WriterConfig

if TYPE_CHECKING:
    from regraft.lm.responses import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What a text must pass. None of it is part of the request for the text."""

    demands: Demands = field(default_factory=Demands)
    judge: JudgeConfig | None = None
    """Asked about each text that meets the demands, and shown its snippet; None asks nobody."""


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


def read_text(task: Task, exchange: "Exchange", demands: Demands) -> Written:
    """Return what an answer makes of a task: a function of the stored bytes."""
    answer = parse_answer(exchange.response)
    assert isinstance(answer, Answer), "only answers are stored as such"
    pair = task.prompt.genre.read(answer.text, task.given)
    if isinstance(pair, Reject):
        cut = Reject("truncated", pair.detail) if answer.finish_reason == "length" else pair
        return Written(text=answer.text, rejects=(cut,))
    found = measure(pair, task.given.snippet, answer.finish_reason)
    unmet = tuple(demands.rejects(found, task.prompt.language))
    return Written(text=pair.text, rejects=unmet, pair=pair, measures=found)


def judgement_of(task: Task, written: Written, checks: Checks) -> ChatRequest | None:
    """Return the request for a judgement on a text, None when there is no judge or a demand is not met."""
    if checks.judge is None or written.pair is None or written.rejects:
        return None
    pair = written.pair if written.pair.problem else replace(written.pair, problem=task.prompt.task)
    return judge_request(checks.judge, task.given.snippet, pair)


class Stream:
    """Requests for texts, each followed by the request for its judgement as soon as it is answered."""

    def __init__(self, checks: Checks) -> None:
        self.checks = checks
        self._open: dict[str, Task] = {}

    def requests(self, tasks: Iterable[Task]) -> Iterator[ChatRequest]:
        """Yield the requests for the texts of some tasks, in order."""
        for task in tasks:
            request = task.request
            if self.checks.judge is not None:
                self._open[request.key] = task
            yield request

    def follow(self, request: ChatRequest, exchange: "Exchange") -> Iterator[ChatRequest]:
        """Yield what is to be asked once a request is answered."""
        task = self._open.pop(request.key, None)
        if task is not None:
            judgement = judgement_of(task, read_text(task, exchange, self.checks.demands), self.checks)
            if judgement is not None:
                yield judgement
