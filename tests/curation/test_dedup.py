import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError, StepFailed
from regraft.corpus.document import Document
from regraft.curation import minhash
from regraft.curation.dedup import COMPARED, DedupConfig, Entry, batches, deduplicate
from regraft.curation.minhash import components, groups, jaccard, shingles
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of

ENGLISH = [
    f"{a}{b}" for a in ("bark", "leaf", "root", "stem", "wood", "seed") for b in ("ing", "ed", "er", "s", "less")
]
CHINESE = list("嫁接是把幼枝接到老根上树保持原有的力量又结出新果实园丁两边斜着切开让口紧贴等待木质长成一体")


def text(seed: int, language: str = "en", length: int = 200) -> str:
    generator = random.Random(f"{seed} {language}")
    if language == "en":
        return " ".join(generator.choices(ENGLISH, k=length))
    return "".join(generator.choices(CHINESE, k=length))


def changed(original: str, places: Sequence[int], word: str = "graft") -> str:
    spaced = original.split()
    for place in places:
        spaced[place] = word
    return " ".join(spaced)


def docs(**texts: str) -> list[Document]:
    return [Document(id=id_, text=body, source="s", language="en") for id_, body in texts.items()]


def test_planted_duplicates_are_found_and_named(tmp_path: Path) -> None:
    english, chinese = text(1), text(1, "zh")
    planted = docs(
        a=english,
        b=text(2),
        c=english.upper().replace(" ", "\n"),
        d=changed(english, [50, 150]),
        e=changed(english, range(0, 200, 4)),
        f=chinese,
        g=chinese[:100] + "花" + chinese[101:],
        h=text(2, "zh"),
    )
    made = make(deduplicate.step("unique", DedupConfig(), docs=corpus(planted)), tmp_path)
    assert [row["id"] for row in documents_of(made)] == ["a", "b", "e", "f", "h"]
    assert {row["id"]: (row["reason"], row["detail"]) for row in rejects_of(made)} == {
        "c": ("exact_duplicate", "of a"),
        "d": ("near_duplicate", f"of a, Jaccard {jaccard(shingles(english), shingles(planted[3].text)):.3f}"),
        "g": ("near_duplicate", f"of f, Jaccard {191 / 201:.3f}"),
    }
    assert (deduplicate.version, digest_of(made)) == (2, "00dc9f495273f94c")


def test_the_kept_one_does_not_depend_on_order_and_corpora(tmp_path: Path) -> None:
    original = text(3)
    planted = docs(z=original + " longest", a=original, m=original)
    steps = [corpus(planted[:1] + docs(other=text(4)), "first"), corpus(planted[1:], "second")]
    one = make(deduplicate.step("unique", DedupConfig(), docs=steps), tmp_path)
    two = make(deduplicate.step("unique2", DedupConfig(), docs=steps[::-1]), tmp_path)
    assert [row["id"] for row in documents_of(one)] == ["z", "other"]
    assert {row["id"] for row in documents_of(two)} == {"z", "other"}
    assert [(row["id"], row["reason"]) for row in rejects_of(one)] == [
        ("a", "near_duplicate"),
        ("m", "exact_duplicate"),
    ]
    assert one.manifest.metrics["corpora"] == 2


def test_two_documents_of_one_id_are_an_error(tmp_path: Path) -> None:
    steps = [corpus(docs(a=text(1)), "first"), corpus(docs(a=text(2)), "second")]
    with pytest.raises(StepFailed, match="Two documents have one id"):
        make(deduplicate.step("unique", DedupConfig(), docs=steps), tmp_path)


def test_a_chain_of_hundreds_is_compared_with_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each document resembles only its neighbours: most are kept, and none is compared with all of them."""
    long = text(6, length=20 * 300 + 400).split()
    chain = docs(**{f"d{n:03}": " ".join(long[20 * n : 20 * n + 400]) for n in range(300)})
    compared: list[int] = []
    real = minhash.jaccard
    monkeypatch.setattr(minhash, "jaccard", lambda left, right: compared.append(1) or real(left, right))
    made = make(deduplicate.step("unique", DedupConfig(bands=28, rows=4), docs=corpus(chain)), tmp_path)
    assert len(compared) <= COMPARED * len(chain)
    kept, dropped = documents_of(made), rejects_of(made)
    grams = {document.id: shingles(document.text) for document in chain}
    assert len(kept) + len(dropped) == 300
    assert all(jaccard(grams[row["id"]], grams[row["detail"][3:7]]) >= 0.75 for row in dropped)
    ids = [row["id"] for row in kept]
    assert not [(a, b) for a in ids for b in ids if a < b and jaccard(grams[a], grams[b]) >= 0.75]
    assert len(dropped) > 100


def test_clusters_are_read_as_many_at_once_as_fit() -> None:
    entries = [Entry(str(n), length, b"") for n, length in enumerate([3, 3, 5, 4, 50, 1, 2])]
    clusters = [[0, 1], [2, 3], [4], [5], [6]]
    assert list(batches(clusters, entries, 15)) == [[[0, 1], [2, 3]], [[4]], [[5], [6]]]
    assert list(batches([], entries, 15)) == []


def test_texts_read_in_several_batches_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = docs(**{f"{pair}{n}": changed(text(n), [50] * (pair == "b")) for n in range(4) for pair in "ab"})
    one = make(deduplicate.step("unique", DedupConfig(), docs=corpus(planted)), tmp_path / "1")
    monkeypatch.setattr("regraft.curation.dedup.CHARACTERS", 1)
    many = make(deduplicate.step("unique", DedupConfig(), docs=corpus(planted)), tmp_path / "2")
    assert len(documents_of(one)) == 4
    assert one.manifest.content_digest == many.manifest.content_digest


def test_jaccard_of_worked_examples() -> None:
    assert jaccard(shingles("a b c d e f"), shingles("A b, c d e f!")) == 1.0
    assert jaccard(shingles("a b c d e f"), shingles("a b c d e g")) == pytest.approx(1 / 3)
    assert jaccard(shingles("a b"), shingles("a b c")) == 0.0
    assert shingles("接到老根上") == {"接 到 老 根 上"}
    assert jaccard(shingles(""), shingles("?")) == 1.0


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), max_size=12))
def test_components_are_those_of_shared_bands(rows: list[list[int]]) -> None:
    labels = components(np.array(rows, np.uint32).reshape(-1, 4), bands=2, rows=2)
    reached = list(range(len(rows)))
    for _ in rows:
        for i, left in enumerate(rows):
            for j, right in enumerate(rows):
                if left[:2] == right[:2] or left[2:] == right[2:]:
                    reached[i] = reached[j] = min(reached[i], reached[j])
    assert [[labels[i] == labels[j] for j in range(len(rows))] for i in range(len(rows))] == [
        [reached[i] == reached[j] for j in range(len(rows))] for i in range(len(rows))
    ]
    assert all(len(group) > 1 and group == sorted(group) for group in groups(labels))


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="112 hashes"):
        DedupConfig(bands=15, rows=8)
    with pytest.raises(ConfigError, match="min_similarity is 0"):
        DedupConfig(min_similarity=0)


def test_rejects_name_the_true_similarity(tmp_path: Path) -> None:
    original = text(5)
    near = changed(original, [50])
    made = make(deduplicate.step("unique", DedupConfig(), docs=corpus(docs(a=original, b=near))), tmp_path)
    reject = rejects_of(made)[0]
    named, similarity = re.fullmatch(r"of (\w+), Jaccard ([\d.]+)", reject["detail"]).groups()  # pyright: ignore[reportOptionalMemberAccess]
    assert {named, reject["id"]} == {"a", "b"}
    assert float(similarity) == pytest.approx(jaccard(shingles(original), shingles(near)), abs=5e-4)
