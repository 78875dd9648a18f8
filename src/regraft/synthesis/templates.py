"""Questions and answers out of real sentences, by rules alone: no model, no cost, the same every time.

Source: "Does Synthetic Data Make LLMs More Efficient?" (arXiv:2310.07830): templates give volume without annotation,
but a model may overfit their phrasing, so each template has a cap and the diversity is reported. The rules and all
numbers are not in the paper.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regraft.core import ConfigError, Context, Kind, Metrics, stage

if TYPE_CHECKING:
    from regraft.synthesis.questions import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateQaConfig:
    """How many questions to make out of which documents."""

    num_pairs: int = 1000
    max_bytes: int = 10_000_000
    """Of all texts together: what comes first, `num_pairs` or this, ends the work."""
    languages: tuple[str, ...] = ("en", "zh")
    sources: tuple[str, ...] = ()
    """Documents of these sources only; all when empty."""
    max_template_share: float = 0.5
    """Of `num_pairs`: no template makes more."""
    max_per_document: int = 5
    seed: int = 0
    source: str = "template-qa"
    """Of the documents that are made."""

    def __post_init__(self) -> None:
        for name in ("num_pairs", "max_bytes", "max_per_document"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if not 0 < self.max_template_share <= 1:
            raise ConfigError(f"max_template_share is {self.max_template_share}; give a share above 0 and up to 1.")


def select(found: "Iterable[Sequence[Candidate]]", config: TemplateQaConfig) -> "tuple[list[Candidate], int]":
    """Return the candidates to make, templates in turn, and how many others there were."""
    ranked = _interleaved(sorted((c for of_document in found for c in of_document), key=lambda c: c.rank))
    most = {"template": int(max(1, config.max_template_share * config.num_pairs)), "parent": config.max_per_document}
    made, size = Counter[tuple[str, str]](), 0
    chosen: list[Candidate] = []
    for candidate in ranked:
        keys = [("template", candidate.template), ("parent", candidate.parent)]
        size_then = size + len(candidate.text.encode())
        if len(chosen) == config.num_pairs or size_then > config.max_bytes:
            break
        if any(made[key] >= most[key[0]] for key in keys) or made["text", candidate.text]:
            continue
        made.update([*keys, ("text", candidate.text)])
        chosen.append(candidate)
        size = size_then
    return chosen, len(ranked) - len(chosen)


def _interleaved(ranked: "Sequence[Candidate]") -> "list[Candidate]":
    """Take each template in turn, so that a rare one is not lost among frequent ones."""
    turn = Counter[str]()
    turns: list[tuple[int, int]] = []
    for number, candidate in enumerate(ranked):
        turn[candidate.template] += 1
        turns.append((turn[candidate.template], number))
    return [ranked[number] for _, number in sorted(turns)]


@stage(
    version=3,
    makes=Kind.CORPUS,
    describe=lambda config: f"{config.num_pairs:,} pairs, at most {config.max_bytes:,} bytes",
    docs=Kind.CORPUS,
)
def template_qa(config: TemplateQaConfig, ctx: Context) -> Metrics:
    """Write question and answer pairs as documents, drawn from all documents in a seeded order.

    Each has its document in `parents` and its template in `meta`. What a cap keeps out is no reject: it is
    counted. Fewer pairs than asked for are a figure, `pairs_short`.

    Raises:
        ConfigError: no document of the languages and sources has a sentence that a template can use.
    """
    from regraft.corpus.rows import CorpusWriter, documents
    from regraft.synthesis.measures import distinct
    from regraft.synthesis.questions import candidates

    def wanted() -> "Iterable[list[Candidate]]":
        for document in documents(ctx.input("docs")):
            if document.language in config.languages and (not config.sources or document.source in config.sources):
                yield candidates(document, config.seed)

    chosen, beyond = select(wanted(), config)
    if not chosen:
        raise ConfigError(f"No document of the languages {list(config.languages)} has a sentence to ask about.")
    with CorpusWriter(ctx.out, "template_qa") as corpus:
        for candidate in chosen:
            corpus.keep(candidate.document(config.source))
        made = Counter(candidate.template for candidate in chosen)
        return {
            "documents": corpus.tally["documents"],
            "pairs_short": config.num_pairs - corpus.tally["documents"],
            "candidates_not_made": beyond,
            "bytes": corpus.tally["bytes"],
            "distinct_2": distinct((candidate.text for candidate in chosen), 2),
            **{f"made.{template}": count for template, count in sorted(made.items())},
        }
