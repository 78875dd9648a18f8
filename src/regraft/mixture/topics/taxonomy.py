"""A taxonomy: the topics that the documents of one language are divided into, kept as data.

A taxonomy of your own is a JSON file of the same form, read with `Taxonomy.read`.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regraft.core import ConfigError

OTHERS = "Others"
"""The topic of a document that resembles none of the taxonomy enough. Source: arXiv:2407.18743, topic lists [R]."""
_LANGUAGE = re.compile("([A-Za-z][A-Za-z0-9-]*)?")  # it names a folder too
_FOLDER = Path(__file__).with_name("taxonomies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic."""

    name: str
    description: str = ""
    """What belongs to it, for people and models that label."""
    subjects: tuple[str, ...] = ()
    """Subjects of a benchmark that it covers."""
    tag: str = ""
    """How far its name is to be trusted: F, N and R as in the docstrings of formulas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """Topics, of which a document has exactly one."""

    name: str
    language: str
    """Of the documents that it divides; empty for those of every language that has no taxonomy of its own."""
    topics: tuple[Topic, ...]

    def __post_init__(self) -> None:
        twice = sorted(name for name, count in Counter(self.names).items() if count > 1 or not name.strip())
        if len(self.topics) < 2 or twice:
            raise ConfigError(
                f"taxonomy {self.name!r} must have at least two topics, each once and named; it has {list(self.names)}."
            )
        if not _LANGUAGE.fullmatch(self.language):
            raise ConfigError(f"taxonomy {self.name!r} has the language {self.language!r}; give a code such as 'zh'.")
        subjects = Counter(subject for topic in self.topics for subject in topic.subjects)
        if repeated := sorted(subject for subject, count in subjects.items() if count > 1):
            raise ConfigError(f"taxonomy {self.name!r} has the subjects {repeated} in two topics; give each to one.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its topics, in order."""
        return tuple(topic.name for topic in self.topics)

    @staticmethod
    def read(path: Path) -> "Taxonomy":
        """Return the taxonomy in a JSON file: `name`, `topics` with a `name` each, and what else the classes have.

        Raises:
            ConfigError: the file is none; names the file and the place.
        """
        if not path.is_file():
            raise ConfigError(f"There is no taxonomy {path}.")
        try:
            raw: Any = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read as JSON: {error}") from error
        rows = _field(raw, "topics", list, path.name)
        return Taxonomy(
            name=_field(raw, "name", str, path.name),
            language=_field(raw, "language", str, path.name, ""),
            topics=tuple(_topic(row, f"{path.name}: topics[{i}]") for i, row in enumerate(rows)),
        )


def _topic(row: object, place: str) -> Topic:
    subjects = _field(row, "subjects", list, place, [])
    if not all(isinstance(subject, str) for subject in subjects):
        raise ConfigError(f"{place}.subjects is {subjects!r}; a list of names is asked for.")
    return Topic(
        name=_field(row, "name", str, place),
        description=_field(row, "description", str, place, ""),
        subjects=tuple(subjects),
        tag=_field(row, "tag", str, place, ""),
    )


def _field(row: Any, name: str, kind: type, place: str, default: object = None) -> Any:
    """Return a field of a JSON object; without a default it must be there."""
    if not isinstance(row, Mapping):
        raise ConfigError(f"{place} is a {type(row).__name__}; a JSON object is asked for.")
    value: Any = row.get(name, default)  # pyright: ignore[reportUnknownMemberType]
    if not isinstance(value, kind):
        raise ConfigError(f"{place}.{name} is {value!r}; a {kind.__name__} is asked for.")
    return value


def by_language(taxonomies: Sequence[Taxonomy]) -> dict[str, Taxonomy]:
    """Return the taxonomy of each language.

    Raises:
        ConfigError: there is none, or two are of one language.
    """
    found = {taxonomy.language: taxonomy for taxonomy in taxonomies}
    if not found or len(found) < len(taxonomies):
        languages = [taxonomy.language for taxonomy in taxonomies]
        raise ConfigError(f"Give at least one taxonomy, and one for each language: these are of {languages}.")
    return found


def of_language(language: str, known: Sequence[str]) -> str | None:
    """Return whose taxonomy, of the languages `known`, a document follows; None when it follows none."""
    return language if language in known else "" if "" in known else None


SYNE_EN = Taxonomy.read(_FOLDER / "syne-en.json")
"""The 11 English topics of the paper with the MMLU subjects of each.

Source: arXiv:2407.18743; names tagged F (Figure 1), N or R, the assignment of subjects a reconstruction.
"""
SYNE_ZH = Taxonomy.read(_FOLDER / "syne-zh.json")
"""The 11 Chinese topics of the paper with the CMMLU subjects of each.

Source: arXiv:2407.18743; all names [R], the assignment of subjects a reconstruction.
"""
