"""Drop documents that say what another one says: word for word, or nearly.

Candidates come from MinHash, but no document is dropped on a hash alone: inside each cluster the true Jaccard
similarity is computed, and a reject names the kept document and that figure. A cluster may be a chain of hundreds of
documents of which few resemble each other: each is compared with the kept ones that its signature is most like.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regraft.core import ConfigError, Context, Kind, Metrics, SchemaError, many, stage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from regraft.curation.duplicates.minhash import Signed
    from regraft.curation.duplicates.similar import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupConfig:
    """When two documents count as one."""

    bands: int = 14
    rows: int = 8
    """Hashes a band. Source: arXiv:2406.17557 (FineWeb), 14 x 8 hashes [R]."""
    min_similarity: float = 0.75
    """True Jaccard similarity of word 5-grams from which a document is dropped.

    Source: arXiv:2406.17557 (FineWeb) aims at 75 % similarity, without verifying it [R].
    """

    def __post_init__(self) -> None:
        if min(self.bands, self.rows) < 1 or self.bands * self.rows > 1024:
            raise ConfigError(f"bands x rows is {self.bands} x {self.rows}; give 1 to 1,024 hashes.")
        if not 0 < self.min_similarity <= 1:
            raise ConfigError(f"min_similarity is {self.min_similarity}; it must be above 0 and at most 1.")


@stage(version=3, makes=Kind.CORPUS, docs=many(Kind.CORPUS))
def deduplicate(config: DedupConfig, ctx: Context) -> Metrics:
    """Write one document of each group of duplicates, over all given corpora, in their order.

    Of a group the longest document stays, the first in the order of the corpora among equals. `duplicates.parquet`
    says of each dropped document which one stays for it, and their similarity.

    Raises:
        SchemaError: two documents have one id.
    """
    from regraft.corpus.rows import Tally
    from regraft.corpus.work import each, gather
    from regraft.curation.duplicates.minhash import components, groups, sign
    from regraft.curation.duplicates.similar import WriteShard, names_of, verified, write_duplicates

    signed = sign(ctx.inputs["docs"], config.bands, config.rows, ctx)
    entries = signed.entries()
    _check_ids(signed, entries["id"])
    found = verified(signed, entries, groups(components(signed, config.bands)), config.min_similarity, ctx)
    kept = names_of(signed, found.kept)
    items = {f"{shard:05}": (path, *found.of_shard(signed, shard, kept)) for shard, path in enumerate(signed.paths)}
    done = each(WriteShard("deduplicate"), items, ctx, "deduplicate", num_documents=len(signed))
    gather(done, ctx.out)
    write_duplicates(ctx.out, names_of(signed, found.dropped), kept, found)
    tally = Tally()
    for piece in done.values():
        tally.update(piece.counts)
    figures = tally.checked("deduplicate", len(signed), ctx.out)
    return {**figures, "corpora": len(ctx.inputs["docs"]), **similarities(found)}


def similarities(found: "Found") -> Mapping[str, int]:
    """Return how many near duplicates were dropped by their true similarity, in steps of 0.05."""
    near = found.similarity[~found.exact]
    steps = [min(int(value * 20 + 1e-9), 19) for value in near.tolist()]
    return {f"jaccard.{step / 20:.2f}": steps.count(step) for step in sorted(set(steps))}


def _check_ids(signed: "Signed", hashes: "npt.NDArray[np.uint64]") -> None:
    """Return if no two documents have one id."""
    import numpy as np

    from regraft.curation.duplicates.similar import names_of

    order = np.argsort(hashes, kind="stable")
    same = hashes[order[1:]] == hashes[order[:-1]]
    if same.any():
        suspects = np.unique(np.concatenate([order[1:][same], order[:-1][same]]))
        twice = sorted(name for name, count in Counter(names_of(signed, suspects)).items() if count > 1)
        if twice:
            raise SchemaError(
                f"{len(twice)} ids stand for two documents, {twice[0]!r} for instance. "
                "Were the same files ingested twice under one source?"
            )
