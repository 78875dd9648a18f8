"""Take as much of each source as a budget needs: a seeded random part, so that scoring and training see no more."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from regraft.core import ConfigError, Context, Kind, Metrics, RegraftError, stage
from regraft.corpus.document import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleConfig:
    """How much of which source."""

    max_bytes: Mapping[str, int]
    """Source -> UTF-8 bytes of text; the document that crosses the bound is still taken. Other sources stay whole."""
    seed: int = 0

    def __post_init__(self) -> None:
        for source, size in self.max_bytes.items():
            if size < 1:
                raise ConfigError(f"max_bytes[{source!r}] is {size}; give a positive size.")


@stage(version=3, makes=Kind.CORPUS, docs=Kind.CORPUS)
def sample_documents(config: SampleConfig, ctx: Context) -> Metrics:
    """Write the sampled documents, in their order; the others are counted as `other_part`: nothing is wrong with them.

    Raises:
        RegraftError: the corpus has no document of a source that is named.
    """
    from regraft.corpus.rows import CorpusWriter, documents, num_documents

    corpus = ctx.input("docs")
    chosen = choose(documents(corpus), config)
    with CorpusWriter(ctx.out, "sample_documents") as writer:
        for document in documents(corpus):
            if document.id in chosen:
                writer.keep(document)
            else:
                writer.leave()
    return writer.tally.checked("sample_documents", num_documents(corpus), ctx.out)


def choose(documents: Iterable[Document], config: SampleConfig) -> set[str]:
    """Return the ids of the sample: of each source by a seeded hash of the id, whatever order the documents have."""
    by_source: dict[str, list[tuple[str, str, int]]] = {}
    for document in documents:
        rank = hashlib.sha256(f"{config.seed} {document.id}".encode()).hexdigest()
        by_source.setdefault(document.source, []).append((rank, document.id, len(document.text.encode())))
    missing = sorted(set(config.max_bytes) - set(by_source))
    if missing:
        raise RegraftError(f"The corpus has no document of {missing}; it has the sources {sorted(by_source)}.")
    chosen: set[str] = set()
    taken = Counter[str]()
    for source, ranked in by_source.items():
        for _, id_, size in sorted(ranked):
            if taken[source] >= config.max_bytes.get(source, taken[source] + 1):
                break
            chosen.add(id_)
            taken[source] += size
    return chosen
