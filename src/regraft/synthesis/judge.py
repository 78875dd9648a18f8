"""A model judges a pair and *sees the snippet* that it was made from; what it said is read apart from what is demanded.

Three pure functions: the request follows from a stored answer, the scores from a stored judgement, the verdict from the
scores. Another parser or another bar asks for nothing again.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.corpus.document import Reject
from regraft.lm.client.chat import ChatRequest, Message
from regraft.lm.client.structured import read_object, repair_request
from regraft.synthesis.answered import answer_of
from regraft.synthesis.pairs import Pair
from regraft.synthesis.rendering import rendered

if TYPE_CHECKING:
    from regraft.lm.client.responses import Exchange

_FOLDER = Path(__file__).with_name("prompt_templates")
RANGES: dict[str, tuple[int, int]] = {
    "grounded": (0, 5),
    "correct": (0, 5),
    "self_contained": (0, 5),
    "overall": (1, 10),
}
"""Score -> least and most.

Source: 1 to 10 for the whole as in synthetic-data-kit, whose judge does not see the source; the rest is not in the
paper, which reports no judge.
"""

_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "fault": {"type": "string"},
            **{name: {"type": "integer", "minimum": least, "maximum": most} for name, (least, most) in RANGES.items()},
        },
        "required": ["fault", *RANGES],
        "additionalProperties": False,
    }
)
"""The worst fault comes first, as in the prompt: what is written before a score is what it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePrompt:
    """A template over `snippet`, `problem` and `solution`; a variable that it asks for beyond these is an error."""

    name: str
    template: str

    @property
    def digest(self) -> str:
        """SHA-256 of the template, for the provenance of a pair."""
        return hashlib.sha256(self.template.encode()).hexdigest()

    def message(self, snippet: str, pair: Pair) -> Message:
        """Return what to ask about a pair.

        Raises:
            ConfigError: the template is no Jinja2, asks for another variable or does what the sandbox forbids.
        """
        shown = {"snippet": snippet, "problem": pair.problem, "solution": pair.solution}
        return Message(role="user", content=rendered(self.name, self.template, shown))


def _packaged(name: str) -> JudgePrompt:
    return JudgePrompt(name=name, template=(_FOLDER / f"{name}.jinja").read_text("utf-8"))


JUDGE_EN = _packaged("judge_pair.en")
JUDGE_ZH = _packaged("judge_pair.zh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The scores of a pair, within `RANGES`."""

    grounded: float
    correct: float
    self_contained: float
    overall: float

    def meta(self) -> dict[str, str]:
        """Return the scores for the `meta` of a document: `judge_grounded` and so on."""
        return {f"judge_{name}": f"{score:g}" for name, score in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a judgement must reach for its pair to be kept.

    Source: 7 of 10 as in synthetic-data-kit; the rest is not in the paper.
    """

    min_grounded: float = 3
    min_correct: float = 4
    min_self_contained: float = 3
    min_overall: float = 7

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            if not least <= getattr(self, f"min_{name}") <= most:
                raise ConfigError(
                    f"bar.min_{name} is {getattr(self, f'min_{name}')}; scores go from {least} to {most}."
                )

    def rejects(self, judgement: Judgement) -> list[Reject]:
        """Return every score that is too low, in the order of `RANGES`."""
        scores = asdict(judgement)
        low = {name: score for name, score in scores.items() if score < getattr(self, f"min_{name}")}
        return [Reject(f"judged_{name}", f"{score:g} of {RANGES[name][1]}") for name, score in low.items()]

    def reject(self, judgement: Judgement) -> Reject | None:
        """Return the first score that is too low, None when the pair is good enough."""
        return next(iter(self.rejects(judgement)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeConfig:
    """Who judges and how. Of this, `bar` and `repairs` are no part of a request."""

    model: str
    """The GGUF file inside the judge's input; without such an input, what the endpoint calls the model."""
    prompt: JudgePrompt = JUDGE_EN
    max_tokens: int = 200
    temperature: float = 0.0
    seed: int = 0
    bar: Bar = Bar()
    structured: bool = False
    """Ask the server to keep the answer to a JSON schema (`response_format`), where it can: vLLM, llama.cpp, OpenAI."""
    repairs: bool = True
    """Whether an answer without scores is shown to the judge once, to be put right."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ConfigError(f"judge.max_tokens is {self.max_tokens}; it must be at least 1.")
        if not self.temperature >= 0:
            raise ConfigError(f"judge.temperature is {self.temperature}; it must not be negative.")
        self.prompt.message("a snippet", Pair(problem="a problem", solution="a solution"))


def judge_request(config: JudgeConfig, snippet: str, pair: Pair) -> ChatRequest:
    """Return the request for a judgement: a function of the config, the snippet's text and the pair alone."""
    return ChatRequest(
        model=config.model,
        messages=(config.prompt.message(snippet, pair),),
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        seed=config.seed,
        json_schema=_SCHEMA if config.structured else "",
    )


def second_request(config: JudgeConfig, request: ChatRequest, exchange: "Exchange") -> ChatRequest | None:
    """Return the request for a judgement in a form that can be read; None when the first one could be read."""
    answer, judgement = answer_of(exchange, config.max_tokens), read_judgement(config, exchange)
    if not config.repairs or isinstance(answer, str) or isinstance(judgement, Judgement):
        return None
    return repair_request(request, answer.text, judgement)


def read_judgement(config: JudgeConfig, exchange: "Exchange") -> Judgement | str:
    """Return the scores that a stored answer gives, or why it gives none."""
    answer = answer_of(exchange, config.max_tokens)
    return answer if isinstance(answer, str) else parse_judgement(answer.text)


def parse_judgement(text: str) -> Judgement | str:
    """Return the scores in what a model wrote, or why there are none.

    The first JSON object with all of them counts; else they may stand in a broken or cut one, or in lines such as
    `**Self-contained**: 4/5`, of which the last count, since a model may repeat the question before it answers.
    """
    found = read_object(text, RANGES)
    mentions = _mentions(text) if isinstance(found, str) else {name: str(found[name]) for name in RANGES}
    scores: dict[str, float] = {}
    for name, (least, most) in RANGES.items():
        mention = mentions.get(name, "")
        if not _NUMBER.fullmatch(mention):
            return f"no score {name}"
        if not least <= float(mention) <= most:
            return f"{name} is {mention}, not {least} to {most}"
        scores[name] = float(mention)
    return Judgement(**scores)


def _mentions(text: str) -> dict[str, str]:
    """Return the last mention of each score."""
    return {name: found[-1] for name in RANGES if (found := _score(name).findall(text))}


_NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?")


@cache
def _score(name: str) -> "re.Pattern[str]":
    spelled = name.replace("_", "[-_ ]?")
    return re.compile(rf"(?i)\b{spelled}\b[\"'”*_` ]*[:：=][\"'“*_` ]*(-?\d{{1,9}}(?:\.\d{{1,9}})?)(?![\d-]|\.\d)")
