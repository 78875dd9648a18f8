"""Labelled examples: one form for hand labels, for seeds labelled by a model and for pages that an annotator filled in.

On disk they are JSON lines with `topic` and `text`, and `id` and `language` where they are known.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from regraft.core import ConfigError, SourceFile
from regraft.mixture.topics.taxonomy import OTHERS, Taxonomy, by_language, of_language

EXAMPLES_FILE = "examples.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A text and its topic."""

    topic: str
    """Empty where nobody has labelled it yet."""
    text: str
    """Empty where only the id of a document is given."""
    id: str = ""
    language: str = ""


def read_examples(
    files: Sequence[tuple[str, Path]], taxonomies: Sequence[Taxonomy], *, complete: bool = True
) -> list[Example]:
    """Return the examples of some JSON lines files, given by name and path, in order.

    Args:
        files: names are for messages.
        taxonomies: an example has a topic of the taxonomy of its language, or `Others`.
        complete: each must have text and topic; otherwise an id may stand for the text, and the topic may be empty.

    Raises:
        ConfigError: a line is no such example; names file and line.
    """
    allowed = {language: (*taxonomy.names, OTHERS) for language, taxonomy in by_language(taxonomies).items()}
    return [
        _example(line, f"{name}:{number}", allowed, complete)
        for name, path in files
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1)
        if line.strip()
    ]


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write examples as JSON lines."""
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(asdict(example), ensure_ascii=False) + "\n" for example in examples)


def named(files: Sequence[SourceFile], located: Mapping[SourceFile, Path]) -> list[tuple[str, Path]]:
    """Return pinned raw files by name and path."""
    return [(file.name, located[file]) for file in files]


def labelled_ids(path: Path) -> Iterator[str]:
    """Yield the ids of a JSON lines file that have a topic.

    Raises:
        ConfigError: a line is no JSON object; names file and line.
    """
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        try:
            row: Any = json.loads(line) if line.strip() else {}
            if row.get("topic") and row.get("id"):
                yield row["id"]
        except (ValueError, AttributeError) as error:
            raise ConfigError(f"{path.name}:{number} is no JSON object: {error!r}.") from error


def in_language(examples: Iterable[Example], language: str, known: Sequence[str]) -> list[Example]:
    """Return the examples that belong to the taxonomy of a language, when those of `known` languages have one."""
    return [example for example in examples if of_language(example.language, known) == language]


def _example(line: str, place: str, allowed: Mapping[str, Sequence[str]], complete: bool) -> Example:
    try:
        row: Any = json.loads(line)
        topic, text = row["topic"], row["text"] if complete else row.get("text", "")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{place} is no JSON object with text and topic: {error!r}.") from error
    example = Example(topic=topic, text=text, id=row.get("id", ""), language=row.get("language", ""))
    if not all(isinstance(value, str) for value in asdict(example).values()):
        raise ConfigError(f"{place}: topic, text, id and language must be strings: {example}.")
    if not _is_unicode(example):
        raise ConfigError(f"{place} holds half a surrogate pair (\\ud800 to \\udfff), which is no text.")
    taxonomy = of_language(example.language, list(allowed))
    if taxonomy is None:
        raise ConfigError(
            f"{place} has the language {example.language!r}; there are taxonomies of {list(allowed)}. Add one of "
            f"{example.language!r} to `taxonomies`, give one the language '' to make it that of all others, or leave "
            "such examples out."
        )
    if topic not in allowed[taxonomy] and (complete or topic):
        raise ConfigError(f"{place} has the topic {topic!r}, which is none of {list(allowed[taxonomy])}.")
    if not text.strip() and (complete or not example.id):
        raise ConfigError(f"{place} has no text" + ("." if complete else ", and no id to find it by."))
    return example


def _is_unicode(example: Example) -> bool:
    try:
        "".join(asdict(example).values()).encode()
    except UnicodeEncodeError:
        return False
    return True
