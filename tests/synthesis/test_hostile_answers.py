"""Whatever a model writes, it is read in time that grows with its length, and at worst it is a reject."""

import json
import signal
from collections.abc import Iterator

import pytest

from regraft.corpus.document import Reject
from regraft.lm.client.responses import Exchange
from regraft.synthesis.answers import final_answer
from regraft.synthesis.code.code_qa import CodeQaConfig
from regraft.synthesis.code.tasks import read_code
from regraft.synthesis.entity.entities import parse_entities
from regraft.synthesis.genres import PAIR, Faq, Genre, Given, Relation, Rephrased, Table, Tutorial
from regraft.synthesis.halves import halves
from regraft.synthesis.judge import parse_judgement
from regraft.synthesis.measures import asks, foreign_numbers, reference_to_source
from regraft.synthesis.prompts import Prompt
from regraft.synthesis.tasks import Checks, Task, read_text
from regraft.synthesis.writer import WriterConfig
from tests.curation.prose import document

LONG = 20_000
WRITER = WriterConfig(model="m")
LINES = [
    "-",
    "*",
    "_",
    "#",
    "[",
    "【",
    " ",
    "\t",
    "\n",
    "=",
    "1",
    ".",
    "|",
    "`",
    ">",
    "A:",
    "答案：",
    "the answer is ",
    "\\boxed{",
    "- [",
]
GENRES = [PAIR, Faq(), Tutorial(), Table(), Rephrased(), Relation()]
HOSTILE = [
    *(line * (LONG // len(line)) for line in LINES),
    *(f"Problem: x\n{line * (LONG // len(line))}\nSolution: y" for line in LINES),
    *(f"Q: x?\nA: {line * (LONG // len(line))}\nQ: z?\nA: b\nQ: c?\nA: d" for line in LINES),
    *(f"Title\n{line * (LONG // len(line))}x" for line in LINES),
    "1" * 5000 + ". step",
    "[" * 3000 + "]" * 3000,
    "{" * LONG,
    "Half an emoji: \ud83d.",
    "Problem: Why \ud83d?\nSolution: Because \ud83d.",
    "Problem: Sum?\nSolution:\n```python\nX = " + "-" * 5000 + "1\ndef f(x): return x\n```\nTests:\nassert f(1) == 1",
    "Problem: Sum?\nSolution:\n```python\ndef f(x): return x\nassert f(1) == " + "+".join("1" * 5000) + "\n```",
]


@pytest.fixture(autouse=True)
def no_more_than_a_minute_of_processor_time() -> Iterator[None]:
    """An exponential parser would need years: end the process, which nothing inside a regular expression can."""
    signal.setitimer(signal.ITIMER_PROF, 60)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)


def stored(text: str) -> Exchange:
    body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    return Exchange(
        key="k",
        model="m",
        request=b"{}",
        response=json.dumps(body).encode(),
        status=200,
        failure="",
        prompt_tokens=1,
        completion_tokens=1,
        metered=True,
    )


@pytest.mark.parametrize(
    "genre", [PAIR, Faq(), Tutorial(), Table(), Rephrased(), Relation()], ids=lambda g: type(g).__name__
)
def test_every_genre_reads_everything(genre: Genre):
    prompt = Prompt(name="p", template="{{ snippet }}", genre=genre)
    task = Task(writer=WRITER, prompt=prompt, given=Given(snippet="a snippet"), parent="d", place="p")
    for text in HOSTILE:
        written = read_text(task, stored(text), Checks())
        written.text.encode()
        assert written.rejects or written.pair


def test_code_is_read_from_everything():
    for text in HOSTILE:
        pair, rejects, said = read_code(CodeQaConfig(writer=WRITER, num_requests=1), stored(text))
        said.encode()
        assert pair is not None or rejects


def test_every_other_parser_reads_everything():
    for text in HOSTILE:
        parse_judgement(text)
        parse_entities(text, "a text", 5)
        final_answer(text)
        asks(text)
        foreign_numbers(text, "a text")
        reference_to_source(text)
        halves(document(text.encode("utf-8", "replace").decode()))


def test_an_answer_longer_than_its_tokens_can_be_is_not_read():
    task = Task(writer=WRITER, prompt=Prompt(name="p", template="x"), given=Given(snippet=""), parent="d", place="p")
    (reject,) = read_text(task, stored("x" * 100_000), Checks()).rejects
    assert reject == Reject("unreadable", "100,000 characters for at most 800 tokens")
