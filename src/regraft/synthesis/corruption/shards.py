"""The two passes over a corpus: what could be corrupted, and the corruption of what was chosen.

Both read a shard whole, since a swapped answer is that of another document of the shard.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from regraft.core import RegraftError
from regraft.corpus.document import Changed, Document, document_id, meta_json
from regraft.corpus.rows import CorpusWriter, read_documents
from regraft.corpus.work import Counts
from regraft.synthesis.corruption.choice import Surveyed, preferred
from regraft.synthesis.corruption.corruption import Corruption, Draw, Original
from regraft.synthesis.halves import START, solution_start


@dataclass(frozen=True, slots=True)
class Survey:
    """Says of each document of a shard its rank and by which kinds it can be corrupted."""

    kinds: Sequence[Corruption]
    seed: int

    def __call__(self, item: Path, out: Path) -> Counts:
        surveyed: list[Surveyed] = []
        for _, original, draw in originals(item, self.seed):
            able = [n for n, kind in enumerate(self.kinds) if kind.corrupt(original, draw)]
            surveyed.append((draw.number("rank"), preferred(able, draw)))
        return {"documents": surveyed}


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Copies a shard, the chosen documents (row -> kind) corrupted."""

    kinds: Sequence[Corruption]
    seed: int

    def __call__(self, item: tuple[Path, Mapping[int, int]], out: Path) -> Counts:
        path, chosen = item
        with CorpusWriter(out, "corrupt", shard=path.stem) as writer:
            for row, (document, original, draw) in enumerate(originals(path, self.seed)):
                kind = self.kinds[chosen[row]] if row in chosen else None
                writer.put(document, corrupted(document, original, kind, draw) if kind else document)
        return writer.tally


def corrupted(document: Document, original: Original, kind: Corruption, draw: Draw) -> Changed:
    """Return the document with its text corrupted; its first parent is the document as it was.

    `meta` keeps what it said, with the place of the solution as it is now, and gains `corruption` and
    `corruption_detail`.

    Raises:
        RegraftError: the kind says now that there is nothing to corrupt.
    """
    made = kind.corrupt(original, draw)
    if made is None:
        raise RegraftError(f"{kind.name} finds nothing to corrupt in {document.id}, where it did before.")
    meta = json.loads(document.meta) | {"corruption": kind.name, "corruption_detail": made.detail}
    if made.start:
        meta[START] = str(made.start)
    result = Document(
        id=document_id(document.source, f"{document.id}:{kind.name}", made.text),
        text=made.text,
        source=document.source,
        language=document.language,
        parents=(document.id, *made.parents),
        meta=meta_json(meta),
    )
    return Changed(result, {kind.name: 1})


def originals(path: Path, seed: int) -> list[tuple[Document, Original, Draw]]:
    """Return the documents of a shard, in order, each with its donor: the next in hash order, of its language."""
    found = [(document, solution_start(document), Draw(seed, document.id)) for document in read_documents(path)]
    order: dict[str, list[int]] = {}
    for row in sorted(range(len(found)), key=lambda row: found[row][2].number("donor")):
        document, start, _ = found[row]
        if start:
            order.setdefault(document.language, []).append(row)
    solutions = {row: found[row][0].text[found[row][1] :] for rows in order.values() for row in rows}
    donors = {row: donor for rows in order.values() for row, donor in next_different(rows, solutions).items()}
    return [
        (document, _original(document, start, donors.get(row), found, solutions), draw)
        for row, (document, start, draw) in enumerate(found)
    ]


def _original(
    document: Document,
    start: int,
    donor: int | None,
    found: Sequence[tuple[Document, int, Draw]],
    solutions: Mapping[int, str],
) -> Original:
    if donor is None:
        return Original(text=document.text, start=start)
    return Original(text=document.text, start=start, donor=solutions[donor], donor_id=found[donor][0].id)


def next_different(rows: Sequence[int], values: Mapping[int, object]) -> dict[int, int]:
    """Return for each row the first after it, in a circle, that has another value; none where all have the same."""
    following: dict[int, int] = {}
    after: int | None = None
    for row in reversed([*rows, *rows]):
        if after is not None and values[after] != values[row]:
            following[row] = after
        elif after is not None and after in following:
            following[row] = following[after]
        after = row
    return following
