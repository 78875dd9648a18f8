"""What the answers of a model say about the topic of a document: parsed, then counted. Pure functions."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_AROUND = " \t\n\"'`*_#.:：。“”‘’「」【】"
_LEAD = re.compile(r"(?:the\s+)?(?:topic|answer|category|主题|答案|类别)(?:\s+is)?\s*[:：]?\s*", re.IGNORECASE)
_NUMBER = re.compile(r"\(?(\d{1,3})\s*(?:[.):：、]|$)")

Status = Literal["agreed", "disagreed", "refused", "not_answered", "not_asked"]
"""`refused`: answers name no topic; `not_answered`: the endpoint answered no request; `not_asked`: the budget was spent
before the first was sent."""


def parse_topic(answer: str, topics: Sequence[str]) -> str | None:
    """Return the one topic that an answer names; None where it names none, or several.

    It may be named by its name, whatever the case and the marks around it, by its number in the list (from 1), or
    inside a sentence as the only one. A name that is part of a longer one does not count where the longer one stands,
    and inside a sentence a name of one word counts in its own case only: a refusal "may harm others" names none.
    """
    given = _LEAD.sub("", answer.strip(_AROUND), count=1) if _LEAD.match(answer.strip(_AROUND)) else answer
    given = given.strip(_AROUND)
    by_name = {_plain(topic): topic for topic in topics}
    if _plain(given) in by_name:
        return by_name[_plain(given)]
    number = _NUMBER.match(given)
    rest = given[number.end() :].strip(_AROUND) if number else given
    numbered = _numbered(int(number[1]), topics) if number else None
    named = _named(rest, topics)
    if not rest:
        return numbered
    if len(named) == 1 and (numbered is None or numbered == named[0]):
        return named[0]
    return None


def _numbered(number: int, topics: Sequence[str]) -> str | None:
    return topics[number - 1] if 1 <= number <= len(topics) else None


def _named(text: str, topics: Sequence[str]) -> list[str]:
    """Return the topics whose names stand in a text, the longest looked for first."""
    found: list[str] = []
    left = " ".join(text.replace("&", " and ").split())
    for topic in sorted(topics, key=len, reverse=True):
        own_case = topic.isascii() and " " not in _plain(topic)
        name = re.escape(topic.strip() if own_case else _plain(topic))
        name = rf"(?<![^\W\d_]){name}(?![^\W\d_])" if topic.isascii() else name
        left, times = re.subn(name, " | ", left, flags=re.NOFLAG if own_case else re.IGNORECASE)
        if times:
            found.append(topic)
    return found


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("&", " and ").split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What all answers about one document come to."""

    topic: str
    """That most answers name; empty where none names one, or two are named alike often."""
    votes: dict[str, int]
    answers: int
    agreement: float
    """Share of all requests, answered or not, that name `topic`."""
    status: Status


def verdict(named: Sequence[str | None], num_requests: int, num_sent: int, min_agreement: float) -> Verdict:
    """Return the verdict on a document.

    Args:
        named: the topic that each answer names, None for one that names none.
        num_requests: how many answers were wanted.
        num_sent: how many of these requests were sent before the budget was spent.
        min_agreement: share of the requests that must name the topic for it to be agreed.
    """
    votes = Counter(topic for topic in named if topic is not None)
    ranked = sorted(votes.items(), key=lambda pair: (-pair[1], pair[0]))
    tied = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
    topic, count = ("", 0) if not ranked or tied else ranked[0]
    agreement = count / num_requests
    status: Status = (
        "not_asked"
        if not num_sent
        else "not_answered"
        if not named
        else "refused"
        if not ranked
        else "agreed"
        if topic and agreement >= min_agreement
        else "disagreed"
    )
    return Verdict(topic=topic, votes=dict(ranked), answers=len(named), agreement=agreement, status=status)
