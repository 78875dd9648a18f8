"""Which check rejects how many texts, and which it alone rejects: what each of them is worth."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from regraft.corpus.document import Reject

Round = Literal["form", "demands", "judge", "answer", "duplicate", "program"]
"""Checks that are made at once, in the order of the rounds; a text that a round rejects goes to no later one."""


@dataclass(slots=True)
class _Counts:
    """Of one round."""

    pairs: int = 0
    alone: Counter[str] = field(default_factory=Counter[str])
    first: Counter[str] = field(default_factory=Counter[str])
    only: Counter[str] = field(default_factory=Counter[str])


class Verdicts:
    """Counts the verdicts of checks."""

    def __init__(self) -> None:
        self._rounds = {round_: _Counts() for round_ in get_args(Round)}

    def add(self, round_: Round, rejects: Sequence[Reject]) -> None:
        """Count what a round said of a text: every reason against it, in the order of the checks; none if it passed."""
        counts = self._rounds[round_]
        reasons = list(dict.fromkeys(reject.reason for reject in rejects))
        counts.pairs += 1
        counts.alone.update(reasons)
        counts.first.update(reasons[:1])
        counts.only.update(reasons if len(reasons) == 1 else ())

    def rows(self) -> Iterable[dict[str, Any]]:
        """Yield the rows of `tables.VERDICTS`: round by round, in each the check first that rejects most."""
        for round_, counts in self._rounds.items():
            for reason, alone in sorted(counts.alone.items(), key=lambda item: (-item[1], item[0])):
                yield {
                    "check": f"{round_}.{reason}",
                    "pairs": counts.pairs,
                    "alone": alone,
                    "first": counts.first[reason],
                    "only": counts.only[reason],
                }
