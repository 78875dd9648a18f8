"""From the hits of all shards to what is done to which document, and what is said of which item.

`G` n-grams of the index, `P` parts, `I` items, `M` matches (an item and a document that holds something of it).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regraft.curation.contamination.index import Index, Part
from regraft.curation.ngrams import Places

Shares = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Guilty = Callable[[Shares, Shares, Places], Flags]
"""Which matches are too much, given the shares of the item in the document and of the document in all items, and the
length of the n-grams by which the item was looked for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in a document."""

    detail: str
    spans: tuple[tuple[int, int], ...]
    """Characters, in order; none overlap."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Columns, in the order of documents and items."""

    shard: Places  # [M]
    document: Places  # [M], of those of the shard with a hit
    item: Places  # [M]
    part: Places  # [M], the one of the item of which most is in the document
    share: Shares  # [M]
    guilty: Flags  # [M]


class Verdicts:
    """What follows from the hits of all shards, which lie in one folder each."""

    def __init__(
        self,
        parts: Sequence[Part],
        index: Index,
        folders: Mapping[str, Path],
        guilty: Guilty,
        max_items: int,
        max_documents: int,
    ) -> None:
        self.parts, self.index, self.folders, self._guilty = parts, index, folders, guilty
        names = {key: n for n, key in enumerate(dict.fromkeys((part.benchmark, part.item) for part in parts))}
        self.items = list(names)
        self._item_of = np.array([names[part.benchmark, part.item] for part in parts], np.int64)  # [P]
        self._gram_of = np.repeat(np.arange(len(index.grams)), np.diff(index.bounds))  # of each place
        self.in_documents = self._in_documents()  # [G]
        self.in_items = self._in_items()  # [G]
        self.too_common = self.in_documents > max_documents  # [G]
        self.template = self.in_items > max_items  # [G]
        self.stopped = self.too_common | self.template  # [G]
        self.total = self._covered(np.ones(len(index.grams), np.bool_))  # [P]
        self.live = self._covered(~self.stopped)  # [P]
        seen = self._covered(~self.stopped & (self.in_documents > 0)) / np.maximum(self.live, 1)
        self.item_share = self._best_of_item(seen)  # [I]
        self.matches = _joined([self._matches(n, folder) for n, folder in enumerate(folders.values())])

    def findings(self) -> Iterator[tuple[str, dict[str, Finding]]]:
        """Yield the name of each shard and what was found in its guilty documents, by id."""
        for number, (name, folder) in enumerate(self.folders.items()):
            rows = self._rows_of(number)
            rows = rows[self.matches.guilty[rows]]
            if not len(rows):
                yield name, {}
                continue
            with np.load(folder / "hits.npz") as data:
                ids, (document, gram, start, stop) = data["ids"], data["hits"]
            best: dict[int, int] = {}
            for row in rows.tolist():
                at = int(self.matches.document[row])
                if at not in best or self.matches.share[row] > self.matches.share[best[at]]:
                    best[at] = row
            live = np.flatnonzero(~self.stopped[gram])
            live = live[np.lexsort((start[live], document[live]))]
            document, start, stop = document[live], start[live], stop[live]
            spans = {at: _merged(start, stop, *np.searchsorted(document, [at, at + 1]).tolist()) for at in best}
            yield name, {str(ids[at]): Finding(self._detail(row), spans[at]) for at, row in best.items()}

    def rows(self, action: str, max_rows: int) -> Iterator[dict[str, Any]]:
        """Yield the rows of `tables.CONTAMINATION`: items in order, of each the documents that hold most of it."""
        m = self.matches
        order: Places = np.lexsort((m.document, m.shard, -m.share, m.item))
        items = m.item[order]
        documents = np.bincount(m.item, minlength=len(self.items))
        rank = np.arange(len(order)) - np.searchsorted(items, items)
        names = self._names(set(order[rank < max_rows].tolist()))
        for row in order[rank < max_rows].tolist():
            number = int(m.item[row])
            benchmark, item = self.items[number]
            id_, source = names[row]
            yield {
                "benchmark": benchmark,
                "item": item,
                "part": self.parts[int(m.part[row])].name,
                "share": float(m.share[row]),
                "item_share": float(self.item_share[number]),
                "documents": int(documents[number]),
                "id": id_,
                "source": source,
                "action": action if m.guilty[row] else "none",
            }

    def figures(self) -> dict[str, int]:
        """Return what was looked for and what was found."""
        guilty = np.unique(self.matches.item[self.matches.guilty]).tolist()
        by_benchmark = {f"contaminated.{name}": 0 for name in sorted({name for name, _ in self.items})}
        for item in guilty:
            by_benchmark[f"contaminated.{self.items[item][0]}"] += 1
        short = self._best_of_item(self.total.astype(np.float64)) == 0
        hidden = self._best_of_item(self.live / np.maximum(self.total, 1)) < 0.5
        return {
            "items": len(self.items),
            "items_too_short": int(short.sum()),
            "items_stop_listed": int((hidden & ~short).sum()),
            "items_matched": len(np.unique(self.matches.item)),
            "items_contaminated": len(guilty),
            "ngrams": len(self.index.grams),
            "ngrams_in_many_items": int(self.template.sum()),
            "ngrams_in_many_documents": int(self.too_common.sum()),
            **by_benchmark,
        }

    def _in_documents(self) -> Places:
        counts = np.zeros(len(self.index.grams), np.int64)
        for folder in self.folders.values():
            with np.load(folder / "hits.npz") as data:
                gram, documents = data["seen"]
            counts[gram] += documents
        return counts

    def _in_items(self) -> Places:
        pairs = np.unique(np.stack([self._gram_of, self._item_of[self.index.part]]), axis=1)
        return np.bincount(pairs[0], minlength=len(self.index.grams))

    def _covered(self, grams: Flags) -> Places:
        """Return how many units of each part stand in one of the chosen n-grams: [P]."""
        places = np.flatnonzero(grams[self._gram_of])
        _, part, covered = covered_units(self.index, np.zeros_like(places), places)
        found = np.zeros(len(self.parts), np.int64)
        found[part] = covered
        return found

    def _best_of_item(self, values: Shares) -> Shares:
        best = np.zeros(len(self.items))
        np.maximum.at(best, self._item_of, values)
        return best

    def _matches(self, shard: int, folder: Path) -> Matches:
        with np.load(folder / "hits.npz") as data:
            hits, units = data["hits"], data["units"]
        document, gram, start, _ = hits[:, ~self.stopped[hits[1]]]
        document_share = _document_shares(document, start, units, self.index.sizes)
        document, gram = np.unique(np.stack([document, gram]), axis=1)
        first, count = self.index.bounds[gram], np.diff(self.index.bounds)[gram]
        places = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
        document, part, covered = covered_units(self.index, np.repeat(document, count), places)
        share = covered / self.live[part]
        item = self._item_of[part]
        order = np.lexsort((part, -share, item, document))
        changes = np.diff(np.stack([document[order], item[order]]), axis=1, prepend=-1).any(axis=0)
        best = order[changes]
        guilty = self._guilty(share[best], document_share[document[best]], self.index.lengths[part[best]])
        return Matches(np.full(len(best), shard), document[best], item[best], part[best], share[best], guilty)

    def _rows_of(self, shard: int) -> Places:
        return np.arange(*np.searchsorted(self.matches.shard, [shard, shard + 1]).tolist())

    def _detail(self, row: int) -> str:
        benchmark, item = self.items[self.matches.item[row]]
        name = self.parts[self.matches.part[row]].name
        return f"{benchmark} {item}: {self.matches.share[row]:.2f} of the words looked for of its {name}"

    def _names(self, rows: set[int]) -> dict[int, tuple[str, str]]:
        """Return id and source of the documents of some matches."""
        found: dict[int, tuple[str, str]] = {}
        for number, folder in enumerate(self.folders.values()):
            chosen = [row for row in self._rows_of(number).tolist() if row in rows]
            if chosen:
                with np.load(folder / "hits.npz") as data:
                    ids, sources = data["ids"], data["sources"]
                at = self.matches.document
                found.update({row: (str(ids[at[row]]), str(sources[at[row]])) for row in chosen})
        return found


def covered_units(index: Index, document: Places, places: Places) -> tuple[Places, Places, Places]:
    """Return documents and parts that have something in common, and how many units of the part that is.

    `places` are those of the index, each with the document in which its n-gram was found. A unit counts once, in
    however many n-grams it stands.
    """
    part, at = index.part[places], index.at[places]
    order = np.lexsort((at, part, document))
    document, part, at = document[order], part[order], at[order]
    borders = np.flatnonzero(np.diff(np.stack([document, part]), axis=1, prepend=-1).any(axis=0))
    length = index.lengths[part]
    step = np.append(np.diff(at), 0)  # to the next n-gram of the part in the document
    step[np.append(borders[1:], len(at)) - 1] = length.max(initial=0)
    return document[borders], part[borders], np.add.reduceat(np.minimum(step, length), borders)


def _document_shares(document: Places, start: Places, units: Places, sizes: Sequence[int]) -> Shares:
    """Return which share of the n-grams of each document was hit."""
    hit = np.bincount(np.unique(np.stack([document, start]), axis=1)[0], minlength=len(units))
    return hit / np.maximum(units - min(sizes, default=1) + 1, 1)


def _merged(starts: Places, stops: Places, first: int, last: int) -> tuple[tuple[int, int], ...]:
    """Return the characters that any of some spans in order covers, as spans that do not touch."""
    spans: list[tuple[int, int]] = []
    for start, stop in zip(starts[first:last].tolist(), stops[first:last].tolist(), strict=True):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
        else:
            spans.append((start, stop))
    return tuple(spans)


def _joined(found: Sequence[Matches]) -> Matches:
    return Matches(*(np.concatenate([getattr(m, name) for m in found]) for name in Matches.__slots__))
