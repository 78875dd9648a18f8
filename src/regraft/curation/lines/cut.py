"""Cut the lines that too many documents hold, and list them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from regraft.corpus.document import Changed, Document, Outcome, Reject
from regraft.corpus.rows import CorpusWriter, read_documents
from regraft.corpus.work import Counts, Done
from regraft.curation.lines.counts import stay_keys
from regraft.curation.lines.keys import batches, join, lines_of, name_hash
from regraft.curation.ngrams import Hashes

if TYPE_CHECKING:
    from regraft.curation.lines.deduplicate import LineConfig

_EMPTY = re.compile(r"\n(?:[ \t]*\n){2,}")


@dataclass(frozen=True, slots=True)
class CutLines:
    """Writes a shard without the repeated lines that are to stay elsewhere."""

    config: "LineConfig"
    folder: Path

    def __call__(self, item: Path, out: Path) -> Counts:
        repeated, stays = _merged(self.folder)
        with CorpusWriter(out, "deduplicate_lines", shard=item.stem) as writer:
            for batch in batches(item):
                lines = lines_of(batch, self.config)
                ids = np.repeat(
                    np.array([name_hash(document.id) for document in batch], np.uint64), np.diff(lines.bounds)
                )
                cut = lines.prose & _among(lines.keys, repeated) & ~_among(stay_keys(lines.keys, ids), stays)
                for document, first, last in zip(batch, lines.bounds, lines.bounds[1:], strict=False):
                    writer.put(document, self.outcome(document, lines.texts[first:last], cut[first:last]))
        return writer.tally

    def outcome(self, document: Document, lines: Sequence[str], cut: npt.NDArray[np.bool_]) -> Outcome:
        """Return what is left of a document of which some lines are cut."""
        num_cut = int(cut.sum())
        if not num_cut:
            return document
        text = _closed(join([line for line, gone in zip(lines, cut, strict=True) if not gone], self.config))
        if not text:
            return Reject("only_boilerplate", f"{num_cut} lines that many documents of {document.source} have")
        counts = {"lines": num_cut, "characters": len(document.text) - len(text)}
        return Changed(replace(document, text=text), counts)


def listed(
    merged: Mapping[str, Done], shards: Mapping[str, Path], config: "LineConfig"
) -> Iterator[dict[str, str | int]]:
    """Yield the rows of `tables.BOILERPLATE`: lines as the first document has them, those in most documents first."""
    keys = np.concatenate([np.load(piece.folder / "top_keys.npy") for piece in merged.values()])
    top = np.concatenate([np.load(piece.folder / "top.npy") for piece in merged.values()])
    best = np.lexsort((keys, -top[:, 0]))[: config.num_listed].tolist()
    paths = list(shards.values())
    texts: dict[int, tuple[str, str]] = {}
    for shard in sorted({int(top[n, 1]) for n in best}):
        places: dict[int, list[int]] = {}
        for n in best:
            if top[n, 1] == shard:
                places.setdefault(int(top[n, 2]), []).append(n)
        for row, document in enumerate(read_documents(paths[shard])):
            for n in places.get(row, ()):
                lines = lines_of([document], config)
                texts[n] = document.source, lines.texts[int(np.flatnonzero(lines.keys == keys[n])[0])].strip()
    for n in best:
        yield {"source": texts[n][0], "line": texts[n][1], "documents": int(top[n, 0])}


def _among(values: Hashes, known: Hashes) -> npt.NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(values), np.bool_)
    return known[np.minimum(np.searchsorted(known, values), len(known) - 1)] == values


def _closed(text: str) -> str:
    """Return the text without the empty lines that cutting leaves behind."""
    return _EMPTY.sub("\n\n", text).strip("\n") if text.strip() else ""


@lru_cache(maxsize=1)
def _merged(folder: Path) -> tuple[Hashes, Hashes]:
    repeated, stays = (np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ("repeated", "stays"))
    return repeated, stays
