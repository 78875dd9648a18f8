import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from regraft.core import ConfigError
from regraft.mixture.topics.learning import folder_of
from regraft.mixture.topics.taxonomy import SYNE_EN, SYNE_ZH, Taxonomy, Topic, by_language, of_language

STAGES = ("label", "merge", "pages", "seed_labels", "train")
HEAVY = ("jinja2", "numpy", "pyarrow", "scipy", "sklearn", "torch", "transformers", "aiohttp", "safetensors")

MMLU = """
abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology college_chemistry
college_computer_science college_mathematics college_medicine college_physics computer_security conceptual_physics
econometrics electrical_engineering elementary_mathematics formal_logic global_facts high_school_biology
high_school_chemistry high_school_computer_science high_school_european_history high_school_geography
high_school_government_and_politics high_school_macroeconomics high_school_mathematics high_school_microeconomics
high_school_physics high_school_psychology high_school_statistics high_school_us_history high_school_world_history
human_aging human_sexuality international_law jurisprudence logical_fallacies machine_learning management marketing
medical_genetics miscellaneous moral_disputes moral_scenarios nutrition philosophy prehistory professional_accounting
professional_law professional_medicine professional_psychology public_relations security_studies sociology
us_foreign_policy virology world_religions
"""
CMMLU = """
agronomy anatomy ancient_chinese arts astronomy business_ethics chinese_civil_service_exam chinese_driving_rule
chinese_food_culture chinese_foreign_policy chinese_history chinese_literature chinese_teacher_qualification
clinical_knowledge college_actuarial_science college_education college_engineering_hydrology college_law
college_mathematics college_medical_statistics college_medicine computer_science computer_security conceptual_physics
construction_project_management economics education electrical_engineering elementary_chinese elementary_commonsense
elementary_information_and_technology elementary_mathematics ethnology food_science genetics global_facts
high_school_biology high_school_chemistry high_school_geography high_school_mathematics high_school_physics
high_school_politics human_sexuality international_law journalism jurisprudence legal_and_moral_basis logical
machine_learning management marketing marxist_theory modern_chinese nutrition philosophy professional_accounting
professional_law professional_medicine professional_psychology public_relations security_study sociology
sports_science traditional_chinese_medicine virology world_history world_religions
"""


@pytest.mark.parametrize(("taxonomy", "subjects", "count"), [(SYNE_EN, MMLU, 57), (SYNE_ZH, CMMLU, 67)])
def test_the_topics_divide_the_subjects_of_the_benchmark(taxonomy: Taxonomy, subjects: str, count: int) -> None:
    assert len(taxonomy.topics) == 11
    assert len(subjects.split()) == count
    assert sorted(subject for topic in taxonomy.topics for subject in topic.subjects) == sorted(subjects.split())
    assert all(topic.description for topic in taxonomy.topics)
    assert taxonomy.names[-1] == "Others"


def test_the_names_bear_their_tags_of_trust() -> None:
    tags = {topic.name: topic.tag for topic in SYNE_EN.topics}
    assert [name for name, tag in tags.items() if tag == "F"] == [
        "Computer Science and Engineering",
        "History and Geography",
        "Psychology and Sociology",
    ]
    assert [name for name, tag in tags.items() if tag == "N"] == ["Mathematics and Physics", "Law and Policy"]
    assert {topic.tag for topic in SYNE_ZH.topics} == {"R"}


def test_a_taxonomy_of_ones_own_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"name": "mine", "topics": [{"name": "a"}, {"name": "b", "subjects": ["x"]}]}), "utf-8")
    assert Taxonomy.read(path) == Taxonomy(
        name="mine", language="", topics=(Topic(name="a"), Topic(name="b", subjects=("x",)))
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"mine\.json cannot be read as JSON"),
        ([], r"mine\.json is a list; a JSON object"),
        ({"name": "x"}, r"mine\.json\.topics is None; a list"),
        ({"name": "x", "topics": [{"name": "a"}, 3]}, r"mine\.json: topics\[1\] is a int; a JSON object"),
        ({"name": "x", "topics": [{"name": "a"}, {"name": 3}]}, r"mine\.json: topics\[1\]\.name is 3; a str"),
        ({"name": "x", "topics": [{"name": "a", "subjects": [1]}]}, r"mine\.json: topics\[0\]\.subjects is \[1\]"),
        ({"name": "x", "topics": [{"name": "a"}]}, "'x' must have at least two topics"),
        ({"name": "x", "topics": [{"name": "a"}, {"name": "a"}]}, "each once and named"),
        (
            {"name": "x", "topics": [{"name": "a", "subjects": ["s"]}, {"name": "b", "subjects": ["s"]}]},
            r"\['s'\] in two",
        ),
    ],
)
def test_a_broken_taxonomy_is_refused_with_its_place(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    with pytest.raises(ConfigError, match=message):
        Taxonomy.read(path)


def test_a_document_follows_the_taxonomy_of_its_language() -> None:
    known = list(by_language((SYNE_EN, SYNE_ZH)))
    assert [of_language(language, known) for language in ("en", "zh", "fr")] == ["en", "zh", None]
    assert [of_language(language, ["zh", ""]) for language in ("en", "zh")] == ["", "zh"]
    with pytest.raises(ConfigError, match="one for each language"):
        by_language((SYNE_EN, SYNE_EN))


def test_the_stages_import_nothing_heavy() -> None:
    modules = ", ".join(f"regraft.mixture.topics.{name}" for name in (*STAGES, "fasttext", "encoder"))
    code = f"import sys, {modules}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_language_of_a_taxonomy_names_a_folder_of_its_own() -> None:
    topics = (Topic(name="a"), Topic(name="b"))
    languages = ("", "any", "zh-Hant")
    folders = {folder_of(Path("c"), Taxonomy(name="t", language=code, topics=topics).language) for code in languages}
    assert len(folders) == 3
    for code in ("_", "../zh", "zh/x", " "):
        with pytest.raises(ConfigError, match="give a code such as 'zh'"):
            Taxonomy(name="t", language=code, topics=topics)
