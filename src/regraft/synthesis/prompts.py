"""Prompts as data: a sandboxed Jinja2 template whose whole text is part of a step's identity, and what it asks for.

A prompt of your own is a file: `Prompt.read(Path("lab_report.jinja"), genre=Tutorial(min_steps=4))`.
"""

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path

from regraft.core import ConfigError
from regraft.lm.client.chat import Message
from regraft.synthesis.genres import PAIR, Faq, Genre, Given, Relation, Rephrased, Table, Tutorial
from regraft.synthesis.rendering import rendered

_FOLDER = Path(__file__).with_name("prompt_templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A demonstration: what is to be written for a snippet of a discipline."""

    discipline: str
    snippet: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A template over the fields of `Given`; a variable that it asks for beyond these is an error."""

    name: str
    template: str
    genre: Genre = PAIR
    """Reads what comes back. It is no part of a request: another genre asks for nothing again."""
    language: str = "en"
    """Of the text that is asked for, ISO 639-1."""
    task: str = ""
    """What is asked for, in a sentence for a judge, where the text is no answer to a problem of its own."""
    examples: tuple[Example, ...] = ()
    """Shown as earlier turns of the conversation, in order."""

    @property
    def digest(self) -> str:
        """SHA-256 of the template and the examples, for the provenance of a text."""
        parts = [self.template, *(text for e in self.examples for text in (e.discipline, e.snippet, e.answer))]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def messages(self, given: Given) -> tuple[Message, ...]:
        """Return the conversation to be continued: each example as a turn and its answer, then what is given.

        Raises:
            ConfigError: as `render`.
        """
        turns: list[Message] = []
        for example in self.examples:
            shown = Given(snippet=example.snippet, discipline=example.discipline, words=given.words)
            turns.append(Message(role="user", content=self.render(shown)))
            turns.append(Message(role="assistant", content=example.answer))
        return (*turns, Message(role="user", content=self.render(given)))

    def render(self, given: Given) -> str:
        """Return the prompt.

        Raises:
            ConfigError: the template is no Jinja2, asks for another variable or does what the sandbox forbids.
        """
        variables = {field.name: getattr(given, field.name) for field in fields(given)}
        return rendered(self.name, self.template, variables)

    @staticmethod
    def read(path: Path, genre: Genre = PAIR, language: str = "en", task: str = "") -> "Prompt":
        """Return the prompt in a file `NAME.jinja`, with the examples of `NAME.examples.json` where there are any.

        Raises:
            ConfigError: there is no such file, or the examples are none.
        """
        examples = path.with_suffix(".examples.json")
        try:
            rows = json.loads(examples.read_text("utf-8")) if examples.exists() else ()
            return Prompt(
                name=path.stem,
                template=path.read_text("utf-8"),
                genre=genre,
                language=language,
                task=task,
                examples=tuple(Example(**row) for row in rows),
            )
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"The prompt {path} cannot be read: {error}") from error


def _both(name: str, genre: Genre, *, task_en: str = "", task_zh: str = "") -> tuple[Prompt, Prompt]:
    """Return a packaged prompt in English and in Chinese."""
    english = Prompt.read(_FOLDER / f"{name}.en.jinja", genre, "en", task_en)
    return english, Prompt.read(_FOLDER / f"{name}.zh.jinja", genre, "zh", task_zh)


SCIENCE_QA, SCIENCE_QA_ZH = _both("science_qa", PAIR)
"""For an instruction-tuned model of a billion parameters or more.

Source: its structure is that of Llama-3-SynE (arXiv:2407.18743; opening line [F], the rest as in YuLan-Mini [Y]:
inspired by a snippet, Problem and Solution, self-contained, step by step, 250-350 words), in words of our own. The
Chinese form, and the guidance for each discipline, are not in the paper.
"""
EXTRACTION, EXTRACTION_ZH = _both("science_extraction", PAIR)
"""A rationale that gives the evidence of the snippet first. Source: information extraction (arXiv:2409.12599)."""
REASONING, REASONING_ZH = _both("science_reasoning", PAIR)
"""A rationale that reasons beyond what is said. Source: informed reasoning (arXiv:2409.12599)."""
FAQ, FAQ_ZH = _both("faq", Faq())
TUTORIAL, TUTORIAL_ZH = _both(
    "tutorial",
    Tutorial(),
    task_en="Write a tutorial in numbered steps about the subject of the excerpt.",
    task_zh="就摘录的主题写一篇分步骤的教程。",
)
TABLE, TABLE_ZH = _both(
    "table",
    Table(),
    task_en="Order the facts of the excerpt in a table, and say what it shows.",
    task_zh="把摘录中的事实整理成表格，并说明它表明了什么。",
)
REPHRASE, REPHRASE_ZH = _both(
    "rephrase",
    Rephrased(),
    task_en="Rephrase the excerpt in other words, completely and clearly.",
    task_zh="用另外的话完整、清楚地改写摘录。",
)
SCIENCE_QA_BRIEF, SCIENCE_QA_BRIEF_ZH = _both("science_qa_brief", PAIR)
"""For a very small model, which keeps to the form only when it is shown the form. Not in the paper."""
ENTITIES, ENTITIES_ZH = _both("entity_names", PAIR)
"""Asks for the entities of a document. Source: EntiGraph (arXiv:2409.07431), first step, in words of our own."""
RELATION, RELATION_ZH = _both(
    "entity_relation",
    Relation(),
    task_en="Explain, on the ground of the excerpt, how the two named things are related.",
    task_zh="根据摘录说明所列两个事物之间的关系。",
)
"""Asks for a text on two entities of a document. Source: EntiGraph (arXiv:2409.07431), second step, likewise."""
