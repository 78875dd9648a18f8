"""The disciplines that pages are taken from, kept as data: which web sites and which topics belong to each.

A list of your own is a JSON file of the same form, read with `read_disciplines`; `extended` joins it to another.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from regraft.core import ConfigError

_FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discipline:
    """A field of knowledge."""

    name: str
    titles: Mapping[str, str] = field(default_factory=dict[str, str])
    """Language -> what prompts in it call the discipline; its name where a language is not here."""
    guidance: Mapping[str, str] = field(default_factory=dict[str, str])
    """Language -> what a solution in this discipline is to heed; a sentence or two for the prompt."""
    hosts: tuple[str, ...] = ()
    """`usgs.gov` stands for itself and all hosts below it; `khanacademy.org/math` only for paths that begin so."""
    topics: tuple[str, ...] = ()
    """Topics of a classifier that mean this discipline, besides its own name."""

    def title(self, language: str) -> str:
        """Return what prompts in a language call it."""
        return self.titles.get(language, self.name)


class Found(NamedTuple):
    """The discipline of a page, and what it was told by."""

    discipline: Discipline
    by: Literal["url", "topic"]


class Routes:
    """Which discipline a page belongs to: looked up in the rules of some disciplines."""

    def __init__(self, disciplines: Sequence[Discipline]) -> None:
        """Prepare the rules.

        Raises:
            ConfigError: a name, a host rule or a topic stands twice, or a host rule is none.
        """
        self._by_host: dict[str, list[tuple[str, Discipline]]] = {}
        hosts = _once("host", ((host, d) for d in disciplines for host in d.hosts))
        for rule, discipline in hosts.items():
            host, slash, path = rule.partition("/")
            if not host or host != host.lower() or ":" in rule:
                raise ConfigError(f"{discipline.name!r} has the host {rule!r}; write it like physics.org/learn.")
            self._by_host.setdefault(host, []).append((slash + path, discipline))
        for rules in self._by_host.values():
            rules.sort(key=lambda rule: -len(rule[0]))
        self._by_topic = _once("topic", ((t, d) for d in disciplines for t in dict.fromkeys((d.name, *d.topics))))

    def discipline_of(self, url: str, topic: str) -> Found | None:
        """Return the discipline of a page, None when neither tells it.

        The address goes first: the rule with the longest host, then the longest path. The topic of a classifier is
        asked where no rule knows the address.
        """
        host, path = _place(url)
        for part in _and_above(host):
            for prefix, discipline in self._by_host.get(part, ()):
                if path.startswith(prefix):
                    return Found(discipline, "url")
        known = self._by_topic.get(topic)
        return Found(known, "topic") if known else None


def _place(url: str) -> tuple[str, str]:
    """Return host and path of an address, with or without its scheme; both empty when it is none."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        return (parts.hostname or "").rstrip("."), parts.path
    except ValueError:
        return "", ""


def _and_above(host: str) -> Iterator[str]:
    """Yield `a.b.c`, `b.c` and `c` of `a.b.c`."""
    while host:
        yield host
        _, _, host = host.partition(".")


def _once(what: str, named: Iterator[tuple[str, Discipline]]) -> dict[str, Discipline]:
    found: dict[str, Discipline] = {}
    for name, discipline in named:
        if found.setdefault(name, discipline) is not discipline:
            both = f"{found[name].name!r} and {discipline.name!r}"
            raise ConfigError(f"The {what} {name!r} belongs to {both}; give it to one discipline.")
    return found


def extended(disciplines: Sequence[Discipline], more: Sequence[Discipline]) -> tuple[Discipline, ...]:
    """Return `disciplines` with `more`: one of a known name adds its hosts and topics and overrides what it says."""
    joined = {discipline.name: discipline for discipline in disciplines}
    for new in more:
        old = joined.get(new.name, new)
        joined[new.name] = replace(
            new,
            titles={**old.titles, **new.titles},
            guidance={**old.guidance, **new.guidance},
            hosts=tuple(dict.fromkeys((*old.hosts, *new.hosts))),
            topics=tuple(dict.fromkeys((*old.topics, *new.topics))),
        )
    return tuple(joined.values())


def read_disciplines(path: Path) -> tuple[Discipline, ...]:
    """Return the disciplines of a JSON file: `disciplines`, each with a `name` and what else `Discipline` has.

    Raises:
        ConfigError: the file is none; names the file and the place.
    """
    try:
        rows: Any = json.loads(path.read_text("utf-8"))["disciplines"]
        return tuple(_discipline(row) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no list of disciplines: {type(error).__name__}: {error}") from error


def _discipline(row: Mapping[str, Any]) -> Discipline:
    if unknown := sorted(set(row) - {"name", "titles", "guidance", "hosts", "topics"}):
        raise ValueError(f"{row.get('name')!r} has the fields {unknown}, which a discipline has not")
    return Discipline(
        name=row["name"],
        titles=dict(row.get("titles", {})),
        guidance=dict(row.get("guidance", {})),
        hosts=tuple(row.get("hosts", ())),
        topics=tuple(row.get("topics", ())),
    )


SCIENCE = read_disciplines(_FILE)
"""The nine disciplines of the paper.

Source: the names are those of Llama-3-SynE (arXiv:2407.18743 [N]), whose hand-made lists of domains are not known.
Hosts, topics and guidance are not in the paper, but for math.stackexchange.com and physicsforums.com [R].
"""
JOINT = (
    Discipline(
        name="mathematics and physics",
        titles={"zh": "数学与物理学"},
        topics=("Mathematics and Physics",),
    ),
    Discipline(name="biology and chemistry", titles={"zh": "生物学与化学"}, topics=("Biology and Chemistry",)),
)
"""For pages that only a topic of the taxonomies syne-en and syne-zh is known of which spans two disciplines. Not in the
paper: add them to `SCIENCE` to use such pages, or train a classifier whose topics are the nine names."""
