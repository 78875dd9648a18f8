import random
from pathlib import Path

import pytest

from regraft.core import Artifact, ConfigError, Execution, Store, open_artifact, run
from regraft.corpus import tables
from regraft.corpus.document import Document, meta_json
from regraft.synthesis.diversity.diversity import DiversityConfig, measure_diversity, sample_groups
from regraft.synthesis.templates import TemplateQaConfig, template_qa
from tests.synthesis.given import PagesConfig, pages


def made(folder: Path, config: DiversityConfig) -> Artifact:
    store = Store(folder)
    qa = template_qa.step("qa", TemplateQaConfig(), docs=pages.step("pages", PagesConfig()))
    record = run([measure_diversity.step("diversity", config, docs=qa)], store, Execution(workers=1))
    return open_artifact(store.path(record.steps["diversity"]))


def test_each_source_and_language_is_measured(tmp_path: Path):
    artifact = made(tmp_path, DiversityConfig())
    rows = tables.read(artifact.file(tables.DIVERSITY_FILE), tables.DIVERSITY).to_pylist()
    assert {(row["source"], row["language"]) for row in rows} == {("template-qa", "en"), ("template-qa", "zh")}
    counts = tables.read(artifact.file(tables.DIVERSITY_COUNTS_FILE), tables.DIVERSITY_COUNTS).to_pylist()
    documents = artifact.manifest.metrics["documents"]
    for what in ("opening", "discipline", "problem_words", "solution_words"):
        assert sum(row["documents"] for row in counts if row["what"] == what) == documents
    assert all(row["value"] == 1 for row in rows if row["measure"] == "with_solution")
    assert "template-qa/en.discipline_entropy" not in artifact.manifest.metrics, "no discipline is given"


def documents(count: int) -> list[Document]:
    return [
        Document(
            id=f"{n:03}", text=f"What is {n}?\n\nIt is {n}.", source="qa", meta=meta_json({"discipline": f"d{n % 4}"})
        )
        for n in range(count)
    ]


def test_the_sample_does_not_depend_on_the_order_and_disciplines_are_all_counted():
    found = documents(40)
    config = DiversityConfig(sample=5)
    (group,) = sample_groups(found, config).values()
    random.Random(0).shuffle(found)
    (shuffled,) = sample_groups(found, config).values()
    assert group.kept == shuffled.kept
    assert len(group.kept) == 5
    rows = {row["measure"]: row for row in group.measured(("qa", ""), config)}
    assert (rows["discipline_entropy"]["value"], rows["discipline_entropy"]["n"]) == (2.0, 40)
    assert rows["self_bleu"]["n"] == 5


def test_configs_are_checked():
    with pytest.raises(ConfigError, match="sample is 1"):
        DiversityConfig(sample=1)
    with pytest.raises(ConfigError, match="similarity"):
        DiversityConfig(similarity=60)


def test_golden(tmp_path: Path):
    artifact = made(tmp_path, DiversityConfig(sample=3))
    rows = tables.read(artifact.file(tables.DIVERSITY_FILE), tables.DIVERSITY).to_pylist()
    found = {
        f"{r['language']}.{r['measure']}": round(r["value"], 4)
        for r in rows
        if r["n"] and r["measure"] != "compression_ratio"
    }
    assert found == {
        "en.distinct_1": 0.4086,
        "en.distinct_2": 0.5444,
        "en.distinct_3": 0.5977,
        "en.near_duplicates": 0.0,
        "en.self_bleu": 0.4042,
        "en.with_solution": 1.0,
        "zh.distinct_1": 0.52,
        "zh.distinct_2": 0.6633,
        "zh.distinct_3": 0.7292,
        "zh.near_duplicates": 0.0,
        "zh.self_bleu": 0.3392,
        "zh.with_solution": 1.0,
    }
