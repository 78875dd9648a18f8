"""Seeds: which snippets of which pages are written from.

Source: Llama-3-SynE (arXiv:2407.18743 [N]) takes pages of hand-made lists of domains for nine disciplines, and a
snippet of each. Drawing evenly, topics of a classifier and weights are not in the paper.
"""

import math
from dataclasses import dataclass, field

from regraft.core import ConfigError
from regraft.synthesis.disciplines import SCIENCE, Discipline, Routes
from regraft.synthesis.snippets import Snippet, SnippetRule
from regraft.synthesis.weakness import Weakness


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRule:
    """Which pages give snippets, and how many each discipline gives."""

    language: str = "en"
    """Of the pages, and of what is written."""
    sources: tuple[str, ...] = ()
    """Pages of these sources only; all when empty."""
    disciplines: tuple[Discipline, ...] = SCIENCE
    """As many snippets of each are drawn, unless `weakness` says otherwise."""
    otherwise: str = ""
    """Discipline of a page that neither its address nor its topic tells; such pages are left out when it is empty."""
    snippets: SnippetRule = field(default_factory=SnippetRule)
    weakness: Weakness | None = None
    """Draws where a model is weak, by its evaluations; None draws evenly."""

    def __post_init__(self) -> None:
        Routes(self.disciplines)
        if not (self.disciplines or self.otherwise):
            raise ConfigError("disciplines is empty and otherwise is too, so no page has a discipline.")

    @property
    def unknown(self) -> Discipline | None:
        """The discipline of pages that nothing tells, None when they are left out."""
        known = {discipline.name: discipline for discipline in self.disciplines}
        return known.get(self.otherwise, Discipline(name=self.otherwise)) if self.otherwise else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A snippet with what is known of its page."""

    snippet: Snippet
    discipline: Discipline
    by: str
    """What tells the discipline: `url`, `topic`, or `otherwise`."""
    url: str = ""
    """Empty when the page has none."""
    topic: str = ""
    """Empty where no topics are given."""
    loss: float = math.nan
    """Held-out bits per byte of the topic; NaN where it is not measured."""
    failure: float = math.nan
    """Failure rate of questions like the snippet; NaN where none were asked."""
    weight: float = 1.0
    """By which it is drawn in its discipline."""
