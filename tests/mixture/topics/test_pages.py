import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import Artifact, Context, Kind, Metrics, RawFiles, StepFailed, stage
from regraft.corpus import tables
from regraft.mixture.topics.disagreement import kl_divergence, total_variation
from regraft.mixture.topics.merge import MergeConfig, merge_labels
from regraft.mixture.topics.pages import TO_LABEL_FILE, PageConfig, choose_pages
from regraft.mixture.topics.taxonomy import Taxonomy, Topic
from tests.mixture.conftest import Given, corpus, make

TOPICS = ("A", "B", "C")
TAXONOMY = Taxonomy(name="abc", language="", topics=tuple(Topic(name=name) for name in TOPICS))
DISTRIBUTION = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(lambda xs: [x / sum(xs) for x in xs])


@given(DISTRIBUTION, DISTRIBUTION)
def test_disagreement_is_none_only_between_equals(p: list[float], q: list[float]) -> None:
    assert total_variation(p, q) == pytest.approx(total_variation(q, p))
    assert 0 <= total_variation(p, q) <= 1
    assert kl_divergence(p, q) >= 2 * total_variation(p, q) ** 2 - 1e-9  # Pinsker
    assert total_variation(p, p) == kl_divergence(p, p) == 0


def test_disagreement_by_hand() -> None:
    assert total_variation([1, 0, 0], [0, 0.5, 0.5]) == 1
    assert total_variation([0.5, 0.5], [0.8, 0.2]) == pytest.approx(0.3)
    assert kl_divergence([0.5, 0.5], [0.8, 0.2]) == pytest.approx(0.223144, abs=1e-6)


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def probabilities(config: Given, ctx: Context) -> Metrics:
    rows = [
        {"id": f"d{i}", "topics": TOPICS if values else [], "probabilities": values}
        for i, values in enumerate(json.loads(config.rows))
    ]
    table = tables.table_of(rows, tables.PROBABILITIES)
    tables.write(ctx.out / tables.PROBABILITIES_FILE, table, tables.PROBABILITIES)
    return {}


STRONG = [[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9], [0.9, 0.1, 0.0], []]
CHEAP = [[0.0, 0.1, 0.9], [0.1, 0.2, 0.7], [0.1, 0.4, 0.5], [0.1, 0.7, 0.2], [0.0, 0.1, 0.9], [0.0, 0.1, 0.9], []]
DOCS = corpus(*[("en", f"Page {i} of many.") for i in range(7)])


def step(config: PageConfig, strong: Any = STRONG, cheap: Any = CHEAP) -> Any:
    made = {name: Given(rows=json.dumps(rows)) for name, rows in (("strong", strong), ("cheap", cheap))}
    annotations = {name: probabilities.step(name, given_, docs=DOCS) for name, given_ in made.items()}
    return choose_pages.step("pages", config, docs=DOCS, **annotations)


def ids(artifact: Artifact) -> list[str]:
    return [json.loads(line)["id"] for line in artifact.file(TO_LABEL_FILE).read_text("utf-8").splitlines()]


def test_topics_take_turns_and_ties_go_by_id(tmp_path: Path) -> None:
    artifact = make(step(PageConfig(num_pages=4)), tmp_path)
    assert ids(artifact) == ["d0", "d3", "d4", "d5"]  # of A alone d0, d5, d1, d2
    rows = tables.read(artifact.file(tables.PAGES_FILE), tables.PAGES).to_pylist()
    assert [(row["strong"], row["cheap"]) for row in rows] == [("A", "C"), ("B", "B"), ("C", "C"), ("A", "C")]
    assert [row["disagreement"] for row in rows] == pytest.approx([0.9, 0.1, 0.0, 0.9])
    assert artifact.manifest.metrics["pages_of_two_opinions"] == 2


def test_the_file_to_fill_in_shows_nobodys_opinion(tmp_path: Path) -> None:
    artifact = make(step(PageConfig(num_pages=1, max_characters=6)), tmp_path)
    line = json.loads(artifact.file(TO_LABEL_FILE).read_text("utf-8"))
    assert line == {"topic": "", "text": "Page 0", "id": "d0", "language": "en"}


def test_pages_that_are_filled_in_come_back_and_are_not_asked_again(tmp_path: Path) -> None:
    first = make(step(PageConfig(num_pages=3)), tmp_path)
    filled = tmp_path / "filled.jsonl"
    lines = [json.loads(line) for line in first.file(TO_LABEL_FILE).read_text("utf-8").splitlines()]
    answers = [{**line, "topic": topic} for line, topic in zip(lines, ["C", "B", ""], strict=True)]
    filled.write_text("\n".join(map(json.dumps, answers)), "utf-8")
    raw = (RawFiles(root=str(filled)),)
    merged = make(merge_labels.step("merged", MergeConfig(taxonomies=(TAXONOMY,), labels=raw)), tmp_path)
    rows = [json.loads(line) for line in merged.file("examples.jsonl").read_text("utf-8").splitlines()]
    assert [(row["id"], row["topic"], row["text"]) for row in rows] == [
        ("d0", "C", "Page 0 of many."),
        ("d3", "B", "Page 3 of many."),
    ]
    assert merged.manifest.metrics["not_labelled"] == 1
    again = make(step(PageConfig(num_pages=9, labelled=raw)), tmp_path)
    assert sorted(ids(again)) == ["d1", "d2", "d4", "d5"]  # d4 was left open, d6 follows no taxonomy
    assert again.manifest.metrics["pages_short"] == 5


def test_memory_holds_few_pages_and_loses_none_of_the_best(tmp_path: Path) -> None:
    strong = [[1.0, 0.0, 0.0]] * 7
    cheap = [[1 - i / 10, i / 10, 0.0] for i in (3, 1, 5, 2, 6, 4, 0)]
    assert ids(make(step(PageConfig(num_pages=2, measure="kl"), strong, cheap), tmp_path)) == ["d4", "d2"]


def test_annotations_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"Only one of .* labels the document d6"):
        make(step(PageConfig(num_pages=2), [*STRONG[:6], [1.0, 0.0, 0.0]]), tmp_path)
    with pytest.raises(StepFailed, match=r"is an annotation of other documents than"):
        make(step(PageConfig(num_pages=2), STRONG[:6]), tmp_path)
    with pytest.raises(StepFailed, match=r"No page of .* is left to label"):
        make(step(PageConfig(num_pages=2), [[]] * 7, [[]] * 7), tmp_path)
