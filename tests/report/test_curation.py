from pathlib import Path

import pyarrow as pa

from regraft.core import Execution, Store, run
from regraft.corpus.document import Document
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate
from regraft.report import curation
from regraft.report.collect import collect
from tests.corpus.given import corpus

WORDS = ["bark", "leaf", "root", "stem", "wood", "seed", "graft", "scion", "stock", "tree", "bud", "cambium"]


def text(start: int, length: int = 200) -> str:
    return " ".join(WORDS[(n * n + start * n) % len(WORDS)] + str(n) for n in range(length))


def test_similarity_of_what_was_dropped_is_drawn(tmp_path: Path) -> None:
    first, second = text(1), text(2)
    texts = {"a": first, "b": first, "c": first + " more", "d": second, "e": second.replace("graft100", "x")}
    docs = corpus([Document(id=id_, text=body, source="s", language="en") for id_, body in texts.items()])
    record = run([deduplicate.step("unique", DedupConfig(), docs=docs)], Store(tmp_path), Execution(cache=tmp_path))
    section = curation.found(collect(Store(tmp_path), record))
    assert not section.missing
    assert "similarity of what was dropped" in section.figures[0].title
    assert "<svg" in section.figures[0].svg


def test_similarities_are_counted_in_steps() -> None:
    values = pa.chunked_array([[0.75, 0.7999, 0.8, 0.95, 0.9999, 1.0, 1.0]])
    assert curation.histogram(values) == {
        "0.75 to 0.80": 2,
        "0.80 to 0.85": 1,
        "0.85 to 0.90": 0,
        "0.90 to 0.95": 0,
        "0.95 to 1.00": 2,
        "1.00": 2,
    }


def test_a_run_without_curation_says_so(tmp_path: Path) -> None:
    record = run([corpus([Document(id="a", text="x", source="s")])], Store(tmp_path), Execution(cache=tmp_path))
    assert "deduplicates" in curation.found(collect(Store(tmp_path), record)).missing
