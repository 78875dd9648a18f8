import json
from pathlib import Path

import pytest

from regraft.core import ConfigError
from regraft.synthesis import prompts as packaged
from regraft.synthesis.disciplines import SCIENCE, Discipline
from regraft.synthesis.genres import Given, Tutorial
from regraft.synthesis.prompts import SCIENCE_QA, SCIENCE_QA_BRIEF, Prompt

PROMPTS = {name: value for name, value in vars(packaged).items() if isinstance(value, Prompt)}
GIVEN = Given(snippet="{{ 7 * 7 }} <b>", discipline="物理学", guidance="GUIDE", words=100, entities=("Alpha", "Beta"))


@pytest.mark.parametrize("name", sorted(PROMPTS))
def test_the_last_turn_holds_what_is_given(name: str):
    prompt = PROMPTS[name]
    messages = prompt.messages(GIVEN)
    assert [m.role for m in messages] == ["user", "assistant"] * len(prompt.examples) + ["user"]
    last = messages[-1].content
    assert "{{ 7 * 7 }} <b>" in last
    assert ("物理学" in last) != name.startswith(("ENTITIES", "RELATION"))
    assert ("Alpha" in last and "Beta" in last) == name.startswith("RELATION")
    han = sum("\u4e00" <= c <= "\u9fff" for c in last.replace("物理学", ""))
    assert (han > 20) == (prompt.language == "zh")
    assert (prompt.language == "zh") == name.endswith("_ZH")


def test_every_prompt_is_another_and_there_is_one_in_each_language():
    assert len({prompt.digest for prompt in PROMPTS.values()}) == len(PROMPTS) == 20
    for english, chinese in ((p, PROMPTS[f"{n}_ZH"]) for n, p in PROMPTS.items() if f"{n}_ZH" in PROMPTS):
        assert english.genre == chinese.genre
        assert bool(english.task) == bool(chinese.task)
        assert english.task != chinese.task or not english.task


@pytest.mark.parametrize("discipline", SCIENCE, ids=lambda d: d.name)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_discipline_has_its_prompt_in_each_language(discipline: Discipline, language: str):
    prompt = SCIENCE_QA if language == "en" else packaged.SCIENCE_QA_ZH
    title, guidance = discipline.title(language), discipline.guidance[language]
    said = prompt.render(Given(snippet="s", discipline=title, guidance=guidance))
    assert title in said
    assert said.endswith(f"- {guidance}")


@pytest.mark.parametrize(
    "template",
    [
        "{{ author }}",
        "{% if %}",
        "{{ snippet.__class__.__mro__ }}",
        "{{ ''.__class__.__subclasses__() }}",
        "{{ 1 // 0 }}",
        "{{ words.nothing }}",
        "{{ entities[5] }}",
        "{% include 'x' %}",
    ],
)
def test_a_template_that_asks_for_more_is_refused(template: str):
    with pytest.raises(ConfigError, match="mine"):
        Prompt(name="mine", template=template).render(Given(snippet="s"))


def test_the_digest_covers_template_and_examples():
    bare = Prompt(name=SCIENCE_QA_BRIEF.name, template=SCIENCE_QA_BRIEF.template)
    assert len({SCIENCE_QA.digest, SCIENCE_QA_BRIEF.digest, bare.digest}) == 3


def test_a_prompt_of_ones_own_is_a_file(tmp_path: Path):
    (tmp_path / "lab.jinja").write_text("A lab report in {{ words }} words on {{ snippet }}")
    (tmp_path / "lab.examples.json").write_text(json.dumps([{"discipline": "d", "snippet": "s", "answer": "a"}]))
    prompt = Prompt.read(tmp_path / "lab.jinja", genre=Tutorial(min_steps=4), task="Write a lab report.")
    assert (prompt.name, prompt.language, len(prompt.examples)) == ("lab", "en", 1)
    assert prompt.render(Given(snippet="ice", words=9)) == "A lab report in 9 words on ice"
    (tmp_path / "lab.examples.json").write_text("[{}]")
    with pytest.raises(ConfigError, match=r"lab\.jinja cannot be read"):
        Prompt.read(tmp_path / "lab.jinja")
    with pytest.raises(ConfigError, match="nowhere"):
        Prompt.read(tmp_path / "nowhere.jinja")
