import random
import re
import resource
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError, Execution, StepFailed
from regraft.corpus import tables
from regraft.corpus.document import Document
from regraft.curation.duplicates import similar
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate
from regraft.curation.duplicates.minhash import Signed, band_hashes, components, groups, normalised
from regraft.curation.duplicates.similar import COMPARED
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of
from tests.curation.grams import similarity

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
        "d": ("near_duplicate", f"of a, Jaccard {similarity(english, planted[3].text):.3f}"),
        "g": ("near_duplicate", f"of f, Jaccard {191 / 201:.3f}"),
    }
    assert (deduplicate.version, digest_of(made)) == (3, "00dc9f495273f94c")


def test_the_longest_stays_and_the_first_among_equals(tmp_path: Path) -> None:
    original = text(3)
    planted = docs(z=original, a=original, m=original + " longest", y=changed(original, [3]))
    steps = [corpus(planted[:1] + docs(other=text(4)), "first"), corpus(planted[1:], "second")]
    made = make(deduplicate.step("unique", DedupConfig(), docs=steps), tmp_path)
    assert [row["id"] for row in documents_of(made)] == ["other", "m"]
    equal = [corpus(planted[:2], "first"), corpus(planted[3:], "second")]
    made = make(deduplicate.step("unique", DedupConfig(), docs=equal), tmp_path / "equal")
    assert [row["id"] for row in documents_of(made)] == ["z"]
    assert made.manifest.metrics["corpora"] == 2
    assert made.manifest.metrics["rejected.exact_duplicate"] == made.manifest.metrics["rejected.near_duplicate"] == 1
    assert made.manifest.metrics["jaccard.0.95"] == 1
    table = tables.read(made.file(tables.DUPLICATES_FILE), tables.DUPLICATES).to_pylist()
    assert [(row["id"], row["kept"]) for row in table] == [("a", "z"), ("y", "z")]
    assert [row["similarity"] for row in table] == pytest.approx([1.0, similarity(original, planted[3].text)])


def test_two_documents_of_one_id_are_an_error(tmp_path: Path) -> None:
    steps = [corpus(docs(a=text(1)), "first"), corpus(docs(a=text(2)), "second")]
    with pytest.raises(StepFailed, match="1 ids stand for two documents, 'a' for instance"):
        make(deduplicate.step("unique", DedupConfig(), docs=steps), tmp_path)


def test_a_chain_of_hundreds_is_compared_with_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each document resembles only its neighbours: most are kept, and none is compared with all of them."""
    long = text(6, length=20 * 300 + 400).split()
    chain = docs(**{f"d{n:03}": " ".join(long[20 * n : 20 * n + 400]) for n in range(300)})
    compared: list[int] = []
    real = similar.jaccard
    monkeypatch.setattr(similar, "jaccard", lambda left, right: compared.append(1) or real(left, right))
    made = make(deduplicate.step("unique", DedupConfig(bands=28, rows=4), docs=corpus(chain)), tmp_path)
    assert 0 < len(compared) <= COMPARED * len(chain)
    kept, dropped = documents_of(made), rejects_of(made)
    of = {document.id: document.text for document in chain}
    assert len(kept) + len(dropped) == 300
    assert all(similarity(of[row["id"]], of[row["detail"][3:7]]) >= 0.75 for row in dropped)
    ids = [row["id"] for row in kept]
    assert not [(a, b) for a in ids for b in ids if a < b and similarity(of[a], of[b]) >= 0.75]
    assert len(dropped) > 100


def test_shards_parts_and_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = docs(**{f"{pair}{n}": changed(text(n), [50] * (pair == "b")) for n in range(6) for pair in "ab"})
    whole = make(deduplicate.step("unique", DedupConfig(), docs=corpus(planted)), tmp_path / "1")
    monkeypatch.setattr(similar, "MEMBERS", 3)
    monkeypatch.setattr("regraft.corpus.work.SERIAL", 0)
    shards = [corpus(planted[n : n + 3], f"shard {n}") for n in range(0, 12, 3)]
    execution = Execution(cache=tmp_path / "cache", workers=2)
    parts = make(deduplicate.step("unique", DedupConfig(), docs=shards), tmp_path / "2", execution)
    assert len(documents_of(whole)) == 6
    assert len(tables.shards(parts.path, "documents")) == 4
    assert digest_of(whole) == digest_of(parts)


def test_a_corpus_may_have_more_shards_than_a_process_may_have_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = corpus(docs(**{f"a{n}": text(n % 30) for n in range(60)}), per_shard=1)
    make(shards, tmp_path)
    monkeypatch.setattr(similar, "FILES", 4)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/dev/fd").iterdir())) + 30, hard))
    try:
        made = make(deduplicate.step("unique", DedupConfig(), docs=shards), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(documents_of(made)) == 30


@given(rows=st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), max_size=12), cut=st.integers(0, 12))
def test_components_are_those_of_shared_bands(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]], cut: int
) -> None:
    folders = [tmp_path_factory.mktemp("signed") for _ in range(2)]
    halves = np.split(np.array(rows, np.uint32).reshape(-1, 4), [min(cut, len(rows))])
    for folder, half in zip(folders, halves, strict=True):
        np.save(folder / "bands.npy", band_hashes(half, bands=2))
    signed = Signed([], folders, np.cumsum([0, *map(len, halves)]))
    labels = components(signed, bands=2)
    reached = list(range(len(rows)))
    for _ in rows:
        for i, left in enumerate(rows):
            for j, right in enumerate(rows):
                if left[:2] == right[:2] or left[2:] == right[2:]:
                    reached[i] = reached[j] = min(reached[i], reached[j])
    assert [[labels[i] == labels[j] for j in range(len(rows))] for i in range(len(rows))] == [
        [reached[i] == reached[j] for j in range(len(rows))] for i in range(len(rows))
    ]
    assert all(len(group) > 1 and (np.diff(group) > 0).all() for group in groups(labels))


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="1,024 hashes"):
        DedupConfig(bands=200, rows=8)
    with pytest.raises(ConfigError, match="min_similarity is 0"):
        DedupConfig(min_similarity=0)


def test_rejects_name_the_true_similarity(tmp_path: Path) -> None:
    original = text(5)
    near = changed(original, [50])
    made = make(deduplicate.step("unique", DedupConfig(), docs=corpus(docs(a=original, b=near))), tmp_path)
    reject = rejects_of(made)[0]
    match = re.fullmatch(r"of (\w+), Jaccard ([\d.]+)", reject["detail"])
    assert match
    assert {match[1], reject["id"]} == {"a", "b"}
    assert float(match[2]) == pytest.approx(similarity(original, near), abs=5e-4)


def test_signatures_see_texts_in_one_form() -> None:
    texts = ["Don't  STOP,\nit", "你好，世界。Hi", "é", "e\u0301", "…", "", "“接到”——老根"]
    assert normalised(pa.array(texts)).to_pylist() == [
        "don t stop it",
        "你 好 世 界 hi",
        "e\u0301",
        "e\u0301",
        "…",
        "",
        "接 到 老 根",
    ]
