import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError, StepFailed
from regraft.corpus.document import Document
from regraft.curation.duplicates.containment import containments
from regraft.curation.split import Member, Part, SplitConfig, assign, quotas, split_documents
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of
from tests.curation.grams import grams

WORDS = [f"{a}{b}" for a in ("bark", "leaf", "root", "stem", "wood", "seed") for b in ("ing", "ed", "er", "s", "less")]
CELLS = st.tuples(st.sampled_from(["zh", "en"]), st.sampled_from(["web", "pubmed"]))
CONFIG = SplitConfig(part="train", share=0.2, at_least=1, max_documents=5, protected=("pubmed",))
VALIDATED = replace(CONFIG, validation_share=0.1, validation_at_least=2, validation_max_documents=3)
PARTS: tuple[Part, ...] = ("train", "held_out", "validation")


def text(seed: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=60))


def documents(count: int, language: str = "en", source: str = "web") -> list[Document]:
    return [
        Document(id=f"{language}-{source}-{n}", text=text(n), source=source, language=language) for n in range(count)
    ]


@given(st.lists(st.tuples(CELLS, st.integers(0, 12)), max_size=60), st.integers(0, 3), st.randoms())
def test_parts_respect_clusters_quotas_and_protection(
    rows: list[tuple[tuple[str, str], int]], seed: int, shuffle: random.Random
) -> None:
    config = replace(VALIDATED, seed=seed)
    members = [Member(f"d{n}", cell) for n, (cell, _) in enumerate(rows)]
    clusters = [cluster for _, cluster in rows]
    parts = assign(members, clusters, config)
    for cluster in set(clusters):
        assert len({part for part, other in zip(parts, clusters, strict=True) if other == cluster}) == 1
    for part, quota in quotas(members, config).items():
        assert Counter(m.cell for m, p in zip(members, parts, strict=True) if p == part) <= quota
    assert all(part != "train" for member, part in zip(members, parts, strict=True) if member.cell[1] == "pubmed")

    order = list(range(len(rows)))
    shuffle.shuffle(order)
    again = assign([members[n] for n in order], [clusters[n] for n in order], replace(config, part="held_out"))
    assert {members[n].id: part for n, part in zip(order, again, strict=True)} == {
        member.id: part for member, part in zip(members, parts, strict=True)
    }


def test_single_documents_fill_their_cells() -> None:
    members = [Member(f"d{n}", ("en", "web")) for n in range(40)] + [
        Member(f"p{n}", ("en", "pubmed")) for n in range(9)
    ]
    parts = assign(members, range(49), CONFIG)
    assert Counter(parts[:40]) == {"train": 35, "held_out": 5}
    assert Counter(parts[40:]) == {"held_out": 5, "unused": 4}
    assert quotas([Member("a", ("en", "web"))] * 3, replace(CONFIG, at_least=8))["held_out"] == {("en", "web"): 1}
    assert assign(members, range(49), replace(CONFIG, seed=1)) != parts
    three = assign(members, range(49), VALIDATED)
    assert [n for n, part in enumerate(three) if part == "held_out"] == [
        n for n, part in enumerate(parts) if part == "held_out"
    ], "what is held out does not depend on validation while there is room"
    assert Counter(three[:40]) == {"train": 32, "held_out": 5, "validation": 3}
    assert Counter(three[40:]) == {"held_out": 5, "validation": 2, "unused": 2}


def test_protected_sources_give_all_they_have() -> None:
    members = [Member(f"p{n}", ("en", "pubmed")) for n in range(9)]
    parts = assign(members, range(9), replace(VALIDATED, max_documents=0))
    assert Counter(parts) == {"held_out": 7, "validation": 2}


def test_steps_make_the_parts_of_one_split(tmp_path: Path) -> None:
    given_documents = documents(40) + documents(10, source="pubmed") + documents(12, language="zh")
    similar = text(0).split()
    similar[::12] = ["graft"] * 5
    given_documents.append(Document(id="similar", text=" ".join(similar), source="web", language="en"))
    docs = corpus(given_documents)
    made = [make(split_documents.step(p, replace(VALIDATED, part=p), docs=docs), tmp_path) for p in PARTS]
    ids = [[row["id"] for row in documents_of(artifact)] for artifact in made]
    unused = [row["id"] for row in rejects_of(made[0])]
    assert [len(rejects_of(artifact)) for artifact in made[1:]] == [0, 0], "unused documents are counted once"
    assert sorted([*ids[0], *ids[1], *ids[2], *unused]) == sorted(document.id for document in given_documents)
    texts = {document.id: document.text for document in given_documents}
    for left, right in ((0, 1), (0, 2), (1, 2)):
        assert not {texts[i] for i in ids[left]} & {texts[i] for i in ids[right]}, "one text in two parts"
    together = [{id_ in part for id_ in ("similar", "en-web-0", "zh-web-0")} for part in (*ids, unused)]
    assert together.count({True}) == 1, "similar texts are kept together"
    assert ids[0] == [document.id for document in given_documents if document.id in ids[0]]
    for artifact, part in zip(made, ids, strict=True):
        metrics = artifact.manifest.metrics
        assert metrics["documents_read"] == len(given_documents)
        assert metrics["other_part"] == len(given_documents) - len(part) - len(rejects_of(artifact))
    assert (split_documents.version, [digest_of(artifact) for artifact in made]) == (
        3,
        ["79996e5e900ceebd", "9e202ff07958a1db", "93506fd57b127dc6"],
    )


def quoting(pages: int, chinese: bool) -> list[Document]:
    """One document, and pages of which each quotes a part of it between much text of their own."""
    joint = "" if chinese else " "
    vocabulary = (
        list("嫁接是把幼枝接到老根上树保持原有的力量又结出新果实园丁两边斜着切开让口紧贴") if chinese else WORDS
    )
    words = [random.Random(f"{n} {chinese}").choices(vocabulary, k=120) for n in range(pages + 1)]
    size = 120 // pages
    for n in range(pages):
        words[n + 1][20:20] = words[0][size * n : size * (n + 1)]
    words += [random.Random(f"fresh {n}").sample(words[0], 120) for n in range(12)]
    return [
        Document(id=f"d{n}", text=joint.join(w), source="web" if 0 < n <= pages else "protected", language="x")
        for n, w in enumerate(words)
    ]


@pytest.mark.parametrize(("part", "seed"), [("held_out", 0), ("validation", 2)])
@pytest.mark.parametrize("chinese", [True, False])
def test_what_training_pages_quote_is_not_tested_on(tmp_path: Path, part: Part, seed: int, chinese: bool) -> None:
    """Four pages quote a quarter each: none of them is similar to the document."""
    config = SplitConfig(part=part, share=0, at_least=0, validation_share=0.12, protected=("protected",), seed=seed)
    docs = corpus(quoting(4, chinese))
    made = make(split_documents.step("x", config, docs=docs), tmp_path)
    assert [(row["id"], row["reason"]) for row in rejects_of(made)] == [("d0", "contained_in_train")]
    assert 0.8 < float(rejects_of(made)[0]["detail"].split()[0]) < 1
    assert made.manifest.metrics["max_containment"] == 0
    assert made.manifest.metrics["short"] == 1
    kept = make(split_documents.step("x", replace(config, max_containment=1.0), docs=docs), tmp_path)
    assert "d0" in {row["id"] for row in documents_of(kept)}
    assert float(kept.manifest.metrics["max_containment"] or 0) > 0.8


SPOKEN = st.lists(st.text("ab 嫁接", min_size=1, max_size=30).map(lambda text: f"x {text}"), max_size=4)


@given(SPOKEN, SPOKEN)
def test_containment_is_the_share_of_grams(texts: list[str], others: list[str]) -> None:
    seen = {shingle for other in others for shingle in grams(other)}
    expected = [len(grams(text) & seen) / len(grams(text)) for text in texts]
    assert containments(texts, iter(others)) == pytest.approx(expected)


def test_a_part_without_a_language_or_without_documents_is_an_error(tmp_path: Path) -> None:
    docs = corpus(documents(20))
    with pytest.raises(StepFailed, match="has no document in 'zh'"):
        make(split_documents.step("x", replace(CONFIG, required_languages=("zh",)), docs=docs), tmp_path)
    none = replace(CONFIG, part="held_out", share=0, at_least=0)
    with pytest.raises(StepFailed, match="kept none"):
        make(split_documents.step("x", none, docs=docs), tmp_path)
    with pytest.raises(ConfigError, match="share is 1"):
        replace(CONFIG, share=1)
    with pytest.raises(ConfigError, match="validation_at_least are 0"):
        replace(CONFIG, part="validation")
    with pytest.raises(ConfigError, match="max_containment is 2"):
        replace(CONFIG, max_containment=2)
