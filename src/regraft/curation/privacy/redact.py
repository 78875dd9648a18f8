"""Personal data in texts, replaced by what it is: `<EMAIL>`, `<PHONE>`, `<ID>`, `<CARD>`, `<IP>`, `<KEY>`.

Found is what has a form that can be checked: a number with a check digit, a phone number that its country gives out,
an address on the public internet, a key with the prefix of its maker. Names and postal addresses have none and stay.
On technical text a wrong find destroys more than a missed one leaks, so what looks like data of every kind, as bare
digits do, counts only where the words before say what it is.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from regraft.core import ConfigError, Context, Kind, Metrics, stage
from regraft.corpus.document import Changed, Document, Reject
from regraft.curation.privacy.contacts import emails, ip_addresses, phones
from regraft.curation.privacy.identity_numbers import card_numbers, id_numbers
from regraft.curation.privacy.secrets import keys

Span = tuple[int, int]
Personal = Literal["email", "phone", "id", "card", "ip", "key"]

FINDERS: dict[Personal, Callable[[str], Iterator[Span]]] = {
    "key": keys,
    "email": emails,
    "id": id_numbers,
    "card": card_numbers,
    "phone": phones,
    "ip": ip_addresses,
}
"""In order of precedence where two begin at one place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyConfig:
    """What is personal, and what happens to it."""

    kinds: tuple[Personal, ...] = ("key", "email", "id", "card", "phone", "ip")
    placeholder: str = "<{kind}>"
    """What a find becomes; `{kind}` stands for the kind in capitals."""
    max_finds: int = 0
    """A document with more is dropped, since it is a list of people; 0 for no bound."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kinds) - set(FINDERS))
        if unknown or not self.kinds:
            raise ConfigError(f"kinds is {self.kinds}; give at least one of {sorted(FINDERS)}.")
        if self.max_finds < 0:
            raise ConfigError(f"max_finds is {self.max_finds}; it is a count, 0 for no bound.")
        if "{kind}" in (left := self.placeholder.replace("{kind}", "", 1)) or "{" in left:
            raise ConfigError(f"placeholder is {self.placeholder!r}; it may hold {{kind}} once and no other brace.")


@stage(version=2, makes=Kind.CORPUS, docs=Kind.CORPUS)
def redact_personal(config: PrivacyConfig, ctx: Context) -> Metrics:
    """Write the documents with personal data replaced by its kind; counts are `changed.<kind>`. Ids stay."""
    from regraft.corpus.dataflow import transform

    return transform(Redact(config), ctx, "redact_personal")


@dataclass(frozen=True, slots=True)
class Redact:
    """The kernel of `redact_personal`."""

    config: PrivacyConfig

    def __call__(self, document: Document) -> Document | Changed | Reject:
        found = finds(document.text, self.config.kinds)
        if not found:
            return document
        counts = Counter(str(kind) for _, _, kind in found)
        if 0 < self.config.max_finds < len(found):
            return Reject("personal", ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
        return Changed(replace(document, text=self._redacted(document.text, found)), counts)

    def _redacted(self, text: str, found: list[tuple[int, int, Personal]]) -> str:
        pieces: list[str] = []
        last = 0
        for start, end, kind in found:
            pieces += (text[last:start], self.config.placeholder.replace("{kind}", kind.upper()))
            last = end
        return "".join([*pieces, text[last:]])


def finds(text: str, kinds: tuple[Personal, ...]) -> list[tuple[int, int, Personal]]:
    """Return begin, end and kind of each find, in order; of two that overlap the one that begins first."""
    found: list[tuple[Span, Personal]] = [
        (span, kind) for kind, finder in FINDERS.items() if kind in kinds for span in finder(text)
    ]
    taken: list[tuple[int, int, Personal]] = []
    for (start, end), kind in sorted(found, key=lambda find: find[0][0]):
        if not taken or start >= taken[-1][1]:
            taken.append((start, end, kind))
    return taken
