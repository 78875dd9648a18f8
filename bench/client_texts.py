"""What is asked in `bench.client`: snippets of real pages, one a document, whose answers pass every check."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

from bench.answers import text_for
from bench.client_ours import RULE, UNKNOWN
from regraft.corpus.compression import decompressed
from regraft.synthesis.genres import Given
from regraft.synthesis.measures import Seen
from regraft.synthesis.pairs import Pair, parse_pair
from regraft.synthesis.prompts import SCIENCE_QA
from regraft.synthesis.snippets import is_in, snippets_of
from regraft.synthesis.verify import Demands, language_of, measure

MOST_SIMILAR = 0.3
WORDS = 300


def write(corpus: Path, count: int, folder: Path) -> None:
    """Write so many documents into `texts/texts.jsonl`, and the prompts that they give into `prompts.jsonl`."""
    (folder / "texts").mkdir(parents=True, exist_ok=True)
    snippets = [snippet for snippet, _ in zip(_snippets(corpus), range(count), strict=False)]
    if len(snippets) < count:
        raise SystemExit(f"{corpus} has {len(snippets)} texts for {count} requests; take a larger share.")
    rows = [{"id": f"text-{n}", "text": text, "language": "en"} for n, text in enumerate(snippets)]
    (folder / "texts/texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (folder / "prompts.jsonl").write_text("".join(json.dumps(_prompt(text)) + "\n" for text in snippets), "utf-8")


def _snippets(corpus: Path) -> Iterator[str]:
    """Yield the first good snippet of each page, none like another."""
    seen = Seen()
    for path in sorted((corpus / "text").glob("*.jsonl.zst")):
        with path.open("rb") as file:
            for line in io.TextIOWrapper(decompressed(path.name, file), "utf-8"):
                page = json.loads(line)
                texts = (one.text for one in snippets_of("", page["text"], RULE) if is_in(one.text, "en"))
                text = next((text for text in texts if _passes(text)), None)
                if text is not None and seen.most_similar(text) <= MOST_SIMILAR:
                    seen.add(text)
                    yield text


def _passes(snippet: str) -> bool:
    """Return whether the server's answer meets the demands, and the text as a document gives the same snippet."""
    pair = parse_pair(text_for(_prompt(snippet)))
    if not isinstance(pair, Pair) or language_of(snippet) != "en":
        return False
    again = [one.text for one in snippets_of("", snippet, RULE)]
    return again == [snippet] and not Demands().rejects(measure(pair, snippet, "stop"), "en")


def _prompt(snippet: str) -> str:
    return SCIENCE_QA.render(Given(snippet=snippet, discipline=UNKNOWN, words=WORDS))
