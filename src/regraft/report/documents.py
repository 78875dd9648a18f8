"""What became of the documents: the funnel of curation, and samples to be read by a person."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from regraft.core import Artifact, Kind
from regraft.corpus import tables
from regraft.report.collect import Evidence, first_documents
from regraft.report.sections import Excerpt, Figure, Section, Table
from regraft.report.words import NONE

NUM_DOCUMENTS = 2
"""Shown of each source."""
NUM_PAIRS = 4
NUM_REJECTS = 2
"""Shown of each stage and reason."""
NUM_CHARACTERS = 700
"""Shown of a text."""


def funnel(evidence: Evidence) -> Section:
    """Show what each step read, kept and rejected, and why."""
    title, anchor = "From raw text to corpus", "curation"
    corpora = evidence.of_kind(Kind.CORPUS)
    if not corpora:
        return Section(title=title, anchor=anchor, missing="This run makes no corpus.")
    lines = tuple(_line(evidence, corpus) for corpus in corpora)
    figure = Figure(
        title="Documents read, kept and rejected",
        artifacts=tuple(corpus.id for corpus in corpora),
        caption="Kept + rejected + other part = read. Other part: what a split or a sample leaves elsewhere.",
        table=Table(
            columns=("Step", "Rejected, by reason", "Read", "Kept", "Rejected", "Other part"), rows=lines, num_labels=2
        ),
    )
    return Section(title=title, anchor=anchor, figures=(figure,))


def samples(evidence: Evidence) -> Section:
    """Show documents, question-answer pairs and rejects as they are."""
    title, anchor = "Samples", "samples"
    used = _trained_on(evidence) or evidence.of_kind(Kind.CORPUS)
    figures = [*_texts(evidence, used), *_rejects(evidence)]
    if not figures:
        return Section(title=title, anchor=anchor, missing="This run makes no corpus, so there is nothing to read.")
    note = f"Texts are cut at {NUM_CHARACTERS} characters; the first of each source are shown, none is picked by hand."
    return Section(title=title, anchor=anchor, sentences=(note,), figures=tuple(figures))


def _line(evidence: Evidence, corpus: Artifact) -> tuple[str, ...]:
    kept = sum(tables.num_rows(path) for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER))
    reasons: Counter[str] = Counter()
    for path in tables.shards(corpus.path, tables.REJECTS_FOLDER):
        table = tables.read(path, tables.REJECTS, ["reason"])
        reasons.update({count["values"]: count["counts"] for count in table["reason"].value_counts().to_pylist()})
    rejected = reasons.total()
    other = corpus.manifest.metrics.get("other_part")
    read = kept + rejected + int(other or 0)
    why = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common()) or NONE
    return (
        evidence.name(corpus),
        why,
        *(NONE if count is None else f"{count:,}" for count in (read, kept, rejected, other)),
    )


def _trained_on(evidence: Evidence) -> list[Artifact]:
    """Return the corpora that were turned into tokens, each once."""
    corpora = [c for t in evidence.of_kind(Kind.TOKENS) for i in t.manifest.inputs for c in evidence.inputs(t, i.role)]
    return list({c.id: c for c in corpora if c.manifest.kind is Kind.CORPUS}.values())


def _texts(evidence: Evidence, corpora: Iterable[Artifact]) -> Iterable[Figure]:
    for corpus in corpora:
        found = first_documents(corpus, NUM_PAIRS)
        pairs = [row for row in found if row["parents"]]
        natural = [row for row in found if not row["parents"]]
        by_source: Counter[str] = Counter()
        excerpts: list[Excerpt] = []
        for row in natural:
            by_source[row["source"]] += 1
            if by_source[row["source"]] <= NUM_DOCUMENTS:
                excerpts.append(
                    Excerpt(label=f"{row['source']} · {row['language']} · {row['id']}", text=_cut(row["text"]))
                )
        name = evidence.name(corpus)
        if excerpts:
            yield Figure(title=f"Documents of {name}", artifacts=(corpus.id,), excerpts=tuple(excerpts), folded=True)
        if pairs:
            shown = [
                Excerpt(label=f"{r['source']} · from {', '.join(r['parents'])}", text=_cut(r["text"])) for r in pairs
            ]
            yield Figure(
                title=f"Synthetic documents of {name}", artifacts=(corpus.id,), excerpts=tuple(shown), folded=True
            )


def _rejects(evidence: Evidence) -> Iterable[Figure]:
    for corpus in evidence.of_kind(Kind.CORPUS):
        seen: Counter[tuple[str, str]] = Counter()
        shown: list[Excerpt] = []
        for row in _rejected(corpus):
            key = (row["stage"], row["reason"])
            seen[key] += 1
            if seen[key] <= NUM_REJECTS:
                label = f"{row['reason']} · {row['detail']} · {row['source']} · {row['id']}"
                shown.append(Excerpt(label=_cut(label, 200), text=_cut(row["excerpt"], 300)))
        if shown:
            title = f"Rejected by {evidence.name(corpus)}"
            yield Figure(title=title, artifacts=(corpus.id,), excerpts=tuple(shown), folded=True)


def _rejected(corpus: Artifact) -> Iterable[Mapping[str, Any]]:
    for path in tables.shards(corpus.path, tables.REJECTS_FOLDER):
        for batch in tables.batches(path, tables.REJECTS, 1024):
            yield from batch.to_pylist()


def _cut(text: str, limit: int = NUM_CHARACTERS) -> str:
    return text if len(text) <= limit else text[:limit].rstrip() + " …"
