import pytest

from regraft.core import ConfigError
from regraft.synthesis.prompts import SCIENCE_QA, SCIENCE_QA_BRIEF, Prompt


@pytest.mark.parametrize("prompt", [SCIENCE_QA, SCIENCE_QA_BRIEF])
def test_the_last_turn_holds_snippet_and_discipline(prompt: Prompt):
    messages = prompt.messages(discipline="physics", snippet="{{ 7 * 7 }} <b>", words=300)
    assert [m.role for m in messages] == ["user", "assistant"] * len(prompt.examples) + ["user"]
    assert "{{ 7 * 7 }} <b>" in messages[-1].content
    assert "physics" in messages[-1].content


@pytest.mark.parametrize(
    "template",
    ["{{ author }}", "{% if %}", "{{ snippet.__class__.__mro__ }}", "{{ ''.__class__.__subclasses__() }}"],
)
def test_a_template_that_asks_for_more_is_refused(template: str):
    with pytest.raises(ConfigError, match="mine"):
        Prompt(name="mine", template=template).render(discipline="d", snippet="s", words=1)


def test_the_digest_covers_template_and_examples():
    bare = Prompt(name=SCIENCE_QA_BRIEF.name, template=SCIENCE_QA_BRIEF.template)
    assert len({SCIENCE_QA.digest, SCIENCE_QA_BRIEF.digest, bare.digest}) == 3
