import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError, StepFailed
from regraft.corpus.document import Document
from regraft.curation.split import Member, SplitConfig, assign, quotas, split_documents
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of

WORDS = [f"{a}{b}" for a in ("bark", "leaf", "root", "stem", "wood", "seed") for b in ("ing", "ed", "er", "s", "less")]
CELLS = st.tuples(st.sampled_from(["zh", "en"]), st.sampled_from(["web", "pubmed"]))
CONFIG = SplitConfig(part="train", share=0.2, at_least=1, max_documents=5, protected=("pubmed",))


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
    config = replace(CONFIG, seed=seed)
    members = [Member(f"d{n}", cell) for n, (cell, _) in enumerate(rows)]
    clusters = [cluster for _, cluster in rows]
    parts = assign(members, clusters, config)
    for cluster in set(clusters):
        assert len({part for part, other in zip(parts, clusters, strict=True) if other == cluster}) == 1
    held = Counter(member.cell for member, part in zip(members, parts, strict=True) if part == "held_out")
    assert all(count <= quotas(members, config)[cell] for cell, count in held.items())
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
    assert quotas([Member("a", ("en", "web"))] * 3, replace(CONFIG, at_least=8)) == {("en", "web"): 1}
    assert assign(members, range(49), replace(CONFIG, seed=1)) != parts


def test_two_steps_make_the_two_parts_of_one_split(tmp_path: Path) -> None:
    given_documents = documents(40) + documents(10, source="pubmed") + documents(12, language="zh")
    similar = text(0).split()
    similar[::12] = ["graft"] * 5
    given_documents.append(Document(id="similar", text=" ".join(similar), source="web", language="en"))
    docs = corpus(given_documents)
    made = [make(split_documents.step(p, replace(CONFIG, part=p), docs=docs), tmp_path) for p in ("train", "held_out")]
    ids = [[row["id"] for row in documents_of(artifact)] for artifact in made]
    unused = [row["id"] for row in rejects_of(made[0])]
    assert rejects_of(made[1]) == rejects_of(made[0])
    assert sorted(ids[0] + ids[1] + unused) == sorted(document.id for document in given_documents)
    texts = {document.id: document.text for document in given_documents}
    assert not {texts[i] for i in ids[0]} & {texts[i] for i in ids[1]}, "one text in both parts"
    assert len({id_ in ids[0] for id_ in ("similar", "en-web-0", "zh-web-0")}) == 1, "similar texts are kept together"
    assert ids[0] == [document.id for document in given_documents if document.id in ids[0]]
    assert (split_documents.version, [digest_of(artifact) for artifact in made]) == (
        1,
        ["abef79d1058e1fac", "dbbe9d3ee6163f19"],
    )


def test_a_part_without_a_language_or_without_documents_is_an_error(tmp_path: Path) -> None:
    docs = corpus(documents(20))
    with pytest.raises(StepFailed, match="has no document in 'zh'"):
        make(split_documents.step("x", replace(CONFIG, required_languages=("zh",)), docs=docs), tmp_path)
    none = replace(CONFIG, part="held_out", share=0, at_least=0)
    with pytest.raises(StepFailed, match="kept none"):
        make(split_documents.step("x", none, docs=docs), tmp_path)
    with pytest.raises(ConfigError, match="share is 1"):
        replace(CONFIG, share=1)
