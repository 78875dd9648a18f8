"""How varied the documents of each source and language are, on samples of one size so that corpora can be compared.

Source: "Does Synthetic Data Make LLMs More Efficient?" (arXiv:2310.07830) warns of narrow phrasing; which measures tell
it is not in the paper.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from regraft.core import ConfigError, Context, Kind, Metrics, stage
from regraft.corpus.document import Document

if TYPE_CHECKING:
    from regraft.synthesis.diversity.measures import Sampled

NO_DISCIPLINE = "not given"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiversityConfig:
    """What is measured."""

    sample: int = 2000
    """Documents of each source and language: all measures depend on how many there are. Not in the paper."""
    similarity: float = 0.6
    """Jaccard index of word 5-grams from which two texts are near-duplicates. In a sample few of those of a corpus
    meet: `deduplicate` finds them all. Not in the paper."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sample < 2:
            raise ConfigError(f"sample is {self.sample}; variety takes at least 2 documents.")
        if not 0 < self.similarity <= 1:
            raise ConfigError(f"similarity is {self.similarity}; give a share above 0 and up to 1.")


@stage(version=3, makes=Kind.FILES, docs=Kind.CORPUS)
def measure_diversity(config: DiversityConfig, ctx: Context) -> Metrics:
    """Write `diversity.parquet` and `diversity_counts.parquet`, rows by source and language.

    Disciplines are counted in all documents, all else in a seeded sample.
    """
    from regraft.corpus import tables
    from regraft.corpus.rows import documents

    groups = sample_groups(documents(ctx.input("docs")), config)
    measured = [row for place, group in sorted(groups.items()) for row in group.measured(place, config)]
    counted = [row for place, group in sorted(groups.items()) for row in group.counted(place)]
    for name, schema, rows in (
        (tables.DIVERSITY_FILE, tables.DIVERSITY, measured),
        (tables.DIVERSITY_COUNTS_FILE, tables.DIVERSITY_COUNTS, counted),
    ):
        tables.write(ctx.out / name, tables.table_of(rows, schema), schema)
    return {
        "documents": sum(group.documents for group in groups.values()),
        "sampled": sum(len(group.kept) for group in groups.values()),
        **{
            f"{row['source']}/{row['language']}.{row['measure']}": row["value"]
            for row in measured
            if math.isfinite(row["value"])
        },
    }


class Group:
    """The documents of one source and language: a sample of them, and their disciplines."""

    def __init__(self, size: int) -> None:
        self.size, self.documents = size, 0
        self.disciplines = Counter[str]()
        self.kept: list[tuple[str, Document]] = []

    def add(self, document: Document, rank: str) -> None:
        self.documents += 1
        self.disciplines[json.loads(document.meta).get("discipline") or NO_DISCIPLINE] += 1
        self.kept.append((rank, document))
        if len(self.kept) >= 2 * self.size:
            self.cut()

    def cut(self) -> None:
        """Keep the first of the sample, by rank."""
        self.kept = sorted(self.kept, key=lambda item: (item[0], item[1].id))[: self.size]

    def sampled(self) -> "list[Sampled]":
        from regraft.synthesis.diversity.measures import Sampled
        from regraft.synthesis.halves import halves

        return [Sampled(document.text, halves(document)) for _, document in self.kept]

    def measured(self, place: tuple[str, str], config: DiversityConfig) -> Iterable[dict[str, Any]]:
        """Yield the rows of `tables.DIVERSITY`."""
        from regraft.synthesis.diversity.measures import entropy, measures

        values = measures(self.sampled(), config.similarity)
        for measure, value in values.items():
            yield _place(place) | {"measure": measure, "value": value, "n": len(self.kept)}
        known = {name: count for name, count in self.disciplines.items() if name != NO_DISCIPLINE}
        value, n = entropy(known), sum(known.values())
        yield _place(place) | {"measure": "discipline_entropy", "value": value, "n": n}

    def counted(self, place: tuple[str, str]) -> Iterable[dict[str, Any]]:
        """Yield the rows of `tables.DIVERSITY_COUNTS`."""
        from regraft.synthesis.diversity.measures import lengths, openings

        sample = self.sampled()
        found = [
            *(("opening", label, count) for label, count in openings(sample)),
            *(("discipline", label, count) for label, count in sorted(self.disciplines.items())),
            *lengths(sample),
        ]
        for what, label, count in found:
            yield _place(place) | {"what": what, "label": label, "documents": count}


def sample_groups(documents: Iterable[Document], config: DiversityConfig) -> dict[tuple[str, str], Group]:
    """Return the documents by source and language, of each a sample that does not depend on their order."""
    groups: dict[tuple[str, str], Group] = {}
    for document in documents:
        rank = hashlib.sha256(f"{config.seed} diversity {document.id}".encode()).hexdigest()
        groups.setdefault((document.source, document.language), Group(config.sample)).add(document, rank)
    for group in groups.values():
        group.cut()
    return groups


def _place(place: tuple[str, str]) -> dict[str, Any]:
    return {"source": place[0], "language": place[1]}
