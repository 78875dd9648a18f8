import json
from pathlib import Path

import pytest

from regraft.core import ConfigError
from regraft.mixture.topics.taxonomy import SYNE_EN, SYNE_ZH
from regraft.synthesis.disciplines import JOINT, SCIENCE, Discipline, Routes, extended, read_disciplines

PHYSICS = Discipline(name="physics", hosts=("example.org/physics", "physics.example.org"), topics=("Mechanics",))
OTHER = Discipline(name="other", hosts=("example.org", "org"))


@pytest.mark.parametrize(
    ("url", "topic", "expected"),
    [
        ("https://physics.example.org/a", "", ("physics", "url")),
        ("https://www.physics.example.org:443/a?b#c", "", ("physics", "url")),
        ("HTTP://Physics.Example.ORG./", "", ("physics", "url")),
        ("physics.example.org/a", "", ("physics", "url")),
        ("https://example.org/physics/1", "", ("physics", "url")),
        ("https://example.org/chemistry", "Mechanics", ("other", "url")),
        ("https://notexample.org/physics", "", ("other", "url")),
        ("https://notexample.com/", "Mechanics", ("physics", "topic")),
        ("https://notexample.com/", "physics", ("physics", "topic")),
        ("", "physics", ("physics", "topic")),
        ("http://[broken", "", None),
        ("", "Biology", None),
    ],
)
def test_the_address_goes_before_the_topic_and_the_longest_rule_first(
    url: str, topic: str, expected: tuple[str, str] | None
):
    for order in ((PHYSICS, OTHER), (OTHER, PHYSICS)):
        found = Routes(order).discipline_of(url, topic)
        assert (found and (found.discipline.name, found.by)) == expected


def test_the_nine_disciplines_of_the_paper_have_hosts_and_words_in_both_languages():
    assert len(SCIENCE) == 9
    assert all(d.hosts and d.titles["zh"] and d.guidance["en"] and d.guidance["zh"] for d in SCIENCE)
    routes = Routes((*SCIENCE, *JOINT))
    for url, name in {
        "https://math.stackexchange.com/questions/1": "mathematics",
        "https://www.khanacademy.org/science/physics/x": "physics",
        "https://www.khanacademy.org/humanities": "general education",
        "https://pubchem.ncbi.nlm.nih.gov/compound/1": "chemistry",
        "https://www.ncbi.nlm.nih.gov/pmc/1": "medical science",
        "https://science.nasa.gov/earth/x": "earth science",
        "https://blog.csdn.net/x": "computer science",
    }.items():
        found = routes.discipline_of(url, "")
        assert found is not None
        assert found.discipline.name == name


def test_every_topic_that_is_mapped_is_one_of_the_taxonomies():
    known = {*SYNE_EN.names, *SYNE_ZH.names}
    assert {topic for d in (*SCIENCE, *JOINT) for topic in d.topics} <= known


@pytest.mark.parametrize(
    ("disciplines", "match"),
    [
        ((PHYSICS, Discipline(name="x", hosts=PHYSICS.hosts)), "'example.org/physics' belongs to 'physics' and 'x'"),
        ((PHYSICS, Discipline(name="x", topics=("physics",))), "topic 'physics'"),
        ((Discipline(name="x", hosts=("https://example.org",)),), "physics.org/learn"),
        ((Discipline(name="x", hosts=("Example.org",)),), "physics.org/learn"),
    ],
)
def test_rules_that_contradict_are_refused(disciplines: tuple[Discipline, ...], match: str):
    with pytest.raises(ConfigError, match=match):
        Routes(disciplines)


def test_a_list_of_ones_own_extends_another(tmp_path: Path):
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps({"disciplines": [{"name": "physics", "hosts": ["my.org"]}, {"name": "law"}]}))
    joined = extended(SCIENCE, read_disciplines(mine))
    assert [d.name for d in joined] == [*(d.name for d in SCIENCE), "law"]
    found = Routes(joined).discipline_of("https://my.org", "")
    assert found is not None
    assert (found.discipline.name, found.discipline.title("zh")) == ("physics", "物理学")
    assert "physicsforums.com" in found.discipline.hosts


@pytest.mark.parametrize("text", ["[]", "{", '{"disciplines": [{"title": "x"}]}', '{"disciplines": [{}]}'])
def test_what_is_no_list_is_refused_by_name(tmp_path: Path, text: str):
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.json"):
        read_disciplines(tmp_path / "mine.json")
