import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.core import Artifact, ConfigError, Execution
from regraft.corpus import tables
from regraft.corpus.document import Document
from regraft.curation.lines import counts as line_counts
from regraft.curation.lines import keys as line_keys
from regraft.curation.lines.counts import ranges
from regraft.curation.lines.deduplicate import LineConfig, deduplicate_lines
from regraft.curation.lines.keys import lines_of
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of
from tests.curation.sharded import sharded

NAVIGATION = "Home | About this handbook | Contact | Imprint"
COPYRIGHT = "© 2019 The gardeners of the old nursery. All rights reserved."
NOTICE = "本网站使用缓存文件来改善您的浏览体验，继续浏览即表示同意。"


def prose(seed: int) -> str:
    words = ["bark", "leaf", "root", "stem", "wood", "seed", "graft", "scion", "bud", "cambium", "tree", "garden"]
    return " ".join(random.Random(seed).choices(words, k=25)) + f" number{seed}."


def page(number: int) -> str:
    return f"{NAVIGATION}\n\n{prose(number)}\n{COPYRIGHT.replace('2019', str(2000 + number))}\n\n{NOTICE}"


def docs(texts: Sequence[str], source: str = "site", prefix: str = "d") -> list[Document]:
    return [Document(id=f"{prefix}{n}", text=text, source=source) for n, text in enumerate(texts)]


def clean(documents: Sequence[Document], root: Path, **config: Any) -> Artifact:
    return make(deduplicate_lines.step("lines", LineConfig(**config), docs=corpus(documents)), root)


def table_of(artifact: Artifact) -> list[tuple[str, str, int]]:
    rows = tables.read(artifact.file(tables.BOILERPLATE_FILE), tables.BOILERPLATE).to_pylist()
    return [(row["source"], row["line"], row["documents"]) for row in rows]


def test_a_repeated_line_stays_in_the_first_documents_only(tmp_path: Path) -> None:
    given = docs([page(n) for n in range(5)])
    made = clean(given, tmp_path, max_documents=2)
    texts = [row["text"] for row in documents_of(made)]
    assert texts[:2] == [page(0), page(1)]
    assert texts[2:] == [prose(2), prose(3), prose(4)]
    lines = (NAVIGATION, NOTICE, COPYRIGHT.replace("2019", "2000"))
    assert sorted(table_of(made)) == sorted(("site", line, 5) for line in lines)
    assert made.manifest.metrics == {
        "documents_read": 5,
        "documents": 5,
        "rejected": 0,
        "bytes": sum(len(text.encode()) for text in texts),
        "language.unknown": 5,
        "changed.documents": 3,
        "changed.lines": 9,
        "changed.characters": sum(len(page(n)) - len(prose(n)) for n in (2, 3, 4)),
        "lines": 20,
        "lines_repeated": 3,
    }
    assert (deduplicate_lines.version, digest_of(made)) == (1, "f650df9d59947fa8")


def test_only_documents_of_one_source_count_together(tmp_path: Path) -> None:
    given = [*docs([page(0), page(1)], "one", "a"), *docs([page(2), page(3)], "two", "b")]
    made = clean(given, tmp_path, max_documents=2)
    assert [row["text"] for row in documents_of(made)] == [page(n) for n in range(4)]
    assert "changed.lines" not in made.manifest.metrics
    assert table_of(made) == []


def test_a_line_counts_once_a_document(tmp_path: Path) -> None:
    twice = f"{NAVIGATION}\n{prose(1)}\n{NAVIGATION}"
    made = clean(docs([twice, prose(2)]), tmp_path, max_documents=1)
    assert documents_of(made)[0]["text"] == twice
    made = clean(docs([prose(2), NAVIGATION, twice]), tmp_path, max_documents=1)
    assert documents_of(made)[2]["text"] == prose(1)


def test_short_lines_and_code_stay(tmp_path: Path) -> None:
    code = "```\nfor (int i = 0; i < number_of_trees; i++) {\n```\n    return number_of_trees_in_the_garden;"
    kept = f"See also\n参考资料\n{code}\n\tjmp somewhere_else_in_this_long_line"
    given = docs([f"{kept}\n{prose(n)}" for n in range(4)])
    made = clean(given, tmp_path, max_documents=1)
    assert [row["text"] for row in documents_of(made)] == [document.text for document in given]
    assert made.manifest.metrics["lines"] == 4


def test_a_document_of_boilerplate_is_rejected(tmp_path: Path) -> None:
    made = clean(docs([page(0), page(1), f"{NAVIGATION}\n\n{NOTICE}"]), tmp_path, max_documents=2)
    assert [(row["id"], row["reason"], row["detail"]) for row in rejects_of(made)] == [
        ("d2", "only_boilerplate", "2 lines that many documents of site have")
    ]


def test_paragraphs_are_cut_whole(tmp_path: Path) -> None:
    notice = "This page is part of the handbook of the old nursery.\nAsk before you copy it."
    texts = [f"{notice}\n\n{prose(n)}\n{notice}" for n in range(3)]
    made = clean(docs(texts), tmp_path, max_documents=1, unit="paragraph")
    assert [row["text"] for row in documents_of(made)] == [texts[0], *(f"{prose(n)}\n{notice}" for n in (1, 2))]
    assert made.manifest.metrics["changed.lines"] == 2


def test_other_sources_stay_as_they_are(tmp_path: Path) -> None:
    given = [*docs([page(n) for n in range(3)], "site"), *docs([page(n) for n in range(3)], "code", "c")]
    made = clean(given, tmp_path, max_documents=1, sources=("site",))
    texts = [row["text"] for row in documents_of(made)]
    assert texts[1:3] == [prose(1), prose(2)]
    assert texts[3:] == [page(n) for n in range(3)]


def test_nothing_repeated_is_said_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clean(docs([prose(1), prose(2)]), tmp_path)
    assert "no line is in more than 6 documents" in caplog.text


def test_shards_workers_and_ranges_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = docs([page(n % 7) for n in range(11)])
    one = clean(given, tmp_path / "1", max_documents=3)
    monkeypatch.setattr(line_counts, "RANGE", 5)
    monkeypatch.setattr(line_keys, "BATCH", 100)
    step = deduplicate_lines.step("lines", LineConfig(max_documents=3), docs=sharded(given, 4))
    many = make(step, tmp_path / "2", Execution(workers=2, cache=tmp_path / "cache"))
    assert digest_of(many) == digest_of(one)
    assert table_of(many) == table_of(one)
    assert many.manifest.metrics == one.manifest.metrics


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=8), st.integers(1, 3), st.integers(1, 4))
def test_lines_stay_in_the_first_documents_that_hold_them(
    tmp_path_factory: pytest.TempPathFactory, pages: list[list[int]], most: int, size: int
) -> None:
    """Against the rule written down plainly, over shards."""
    lines = [f"the line that says {'abcdef'[n]} and no more" for n in range(6)]
    given = docs(["\n".join([prose(n), *(lines[line] for line in page)]) for n, page in enumerate(pages)])
    step = deduplicate_lines.step("lines", LineConfig(max_documents=most), docs=sharded(given, size))
    made = make(step, tmp_path_factory.mktemp("lines"), Execution(workers=1))
    held = [0] * 6
    for number, (page, row) in enumerate(zip(pages, documents_of(made), strict=True)):
        for line in set(page):
            held[line] += 1
        assert row["text"].split("\n") == [prose(number), *(lines[line] for line in page if held[line] <= most)]


def test_equal_lines_have_one_key() -> None:
    def key(line: str, source: str = "s") -> int:
        return int(lines_of(docs([line], source), LineConfig()).keys[0])

    assert key("Copyright 2019, the Gardeners") == key("copyright 2021 The GARDENERS!")
    assert key("one two") != key("two one")
    assert key("one two", "s") != key("one two", "t")
    together = lines_of(docs(["a b\nb a\n", "a b"], "s"), LineConfig(min_bytes=1))
    assert together.texts == ["a b", "b a", "", "a b"]
    assert together.bounds == [0, 3, 4]
    assert together.keys[0] == together.keys[3] == key("a b")
    assert together.keys[1] == key("b a")
    assert together.prose.tolist() == [True, True, False, True]


def test_what_stands_between_fences_is_no_prose() -> None:
    text = "one\n```sh\ntwo\n```\nthree\n``` four ```\nfive\n```\nsix\nseven"
    lines = lines_of(docs([text, "eight"]), LineConfig(min_bytes=1))
    assert [line for line, prose in zip(lines.texts, lines.prose, strict=True) if prose] == [
        "one",
        "three",
        "five",
        "eight",
    ]


def test_ranges_cover_all_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_counts, "RANGE", 10)
    found = list(ranges(25).values())
    assert len(found) == 3
    assert (found[0][0], found[-1][1]) == (0, 2**64 - 1)
    assert all(a[1] + 1 == b[0] for a, b in pairwise(found))
    assert np.array(found, np.uint64).shape == (3, 2)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="max_documents is 0"):
        LineConfig(max_documents=0)
