import dataclasses
import json

import pytest

from regraft.core import ConfigError
from regraft.lm.client.responses import Exchange
from regraft.synthesis.judge import (
    JUDGE_EN,
    JUDGE_ZH,
    Bar,
    JudgeConfig,
    Judgement,
    JudgePrompt,
    judge_request,
    parse_judgement,
    read_judgement,
    second_request,
)
from regraft.synthesis.pairs import Pair

PAIR = Pair(problem="What does cron do?", solution="It runs commands at {{ fixed }} times.")
GOOD = Judgement(grounded=4, correct=5, self_contained=3, overall=8)
CONFIG = JudgeConfig(model="m")
SCORES = '{"grounded": 4, "correct": 5, "self_contained": 3, "overall": 8}'


def exchange(text: str, finish_reason: str = "stop") -> Exchange:
    body = {"choices": [{"message": {"content": text}, "finish_reason": finish_reason}]}
    return Exchange(
        key="k",
        model="m",
        request=b"{}",
        response=json.dumps(body).encode(),
        status=200,
        failure="",
        prompt_tokens=1,
        completion_tokens=1,
        metered=True,
    )


@pytest.mark.parametrize("prompt", [JUDGE_EN, JUDGE_ZH])
def test_the_judge_sees_the_snippet_and_the_pair_as_they_are(prompt: JudgePrompt):
    request = judge_request(JudgeConfig(model="m", prompt=prompt), "The cron daemon <b>runs</b> {% x %}.", PAIR)
    (message,) = request.messages
    assert all(text in message.content for text in ("<b>runs</b> {% x %}", PAIR.problem, PAIR.solution))
    assert all(name in message.content for name in ("grounded", "correct", "self_contained", "overall"))


def test_the_bar_is_no_part_of_a_request_and_all_else_is():
    config = JudgeConfig(model="m")
    key = judge_request(config, "a snippet", PAIR).key
    assert judge_request(dataclasses.replace(config, bar=Bar(min_overall=10)), "a snippet", PAIR).key == key
    others = [
        judge_request(config, "another snippet", PAIR),
        judge_request(config, "a snippet", dataclasses.replace(PAIR, solution="x")),
        *(
            judge_request(dataclasses.replace(config, **change), "a snippet", PAIR)
            for change in ({"model": "n"}, {"prompt": JUDGE_ZH}, {"max_tokens": 9}, {"temperature": 1.0}, {"seed": 1})
        ),
    ]
    assert len({key, *(request.key for request in others)}) == 1 + len(others)


@pytest.mark.parametrize(
    "text",
    [
        SCORES,
        f"The second step is weak.\n```json\n{SCORES}\n```\nI hope this helps.",
        SCORES.replace('"', "'"),
        SCORES.replace('"', ""),
        SCORES[:-1],
        "**Grounded**: 4/5\n**Correct**: 5/5\n**Self-contained**: 3/5\n**Overall:** 8/10",
        "- grounded = 4\n- correct = 5\n- self contained = 3\n- overall = 8",
        "有一步较弱。\n“grounded”：4，“correct”：5，“self_contained”：3，“overall”：8",
        f"grounded: 0 to 5, correct: 0-5: how I score\n{SCORES}",
        SCORES.replace("4", '"4"').replace("8", "8.0"),
        SCORES.replace(": 4", ": 3.5-4.5, in the end grounded: 4"),
    ],
)
def test_scores_are_read_in_many_forms(text: str):
    assert parse_judgement(text) == GOOD


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no score grounded"),
        ("It is a good pair.", "no score grounded"),
        (SCORES.replace("overall", "total"), "no score overall"),
        (SCORES.replace("4", "9"), "grounded is 9, not 0 to 5"),
        (SCORES.replace("8", "0"), "overall is 0, not 1 to 10"),
        (SCORES.replace("3", "-3"), "self_contained is -3, not 0 to 5"),
        (SCORES.replace('"correct": 5', '"correct": null'), "no score correct"),
        ('{"grounded": 0-5, "correct": 0-5, "self_contained": 0-5, "overall": 1-10}', "no score grounded"),
    ],
)
def test_what_is_no_judgement_says_why(text: str, reason: str):
    assert parse_judgement(text) == reason


def test_a_stored_answer_is_read():
    assert read_judgement(CONFIG, exchange(SCORES, "length")) == GOOD
    assert read_judgement(CONFIG, dataclasses.replace(exchange(""), response=b"<html>")) == "the body is no JSON object"


@pytest.mark.parametrize("name", ["grounded", "correct", "self_contained", "overall"])
def test_each_score_has_its_threshold_and_its_reason(name: str):
    judgement = Judgement(grounded=3, correct=4, self_contained=3, overall=7)
    assert Bar().reject(judgement) is None
    low = Bar().reject(dataclasses.replace(judgement, **{name: getattr(judgement, name) - 1}))
    assert low is not None
    assert low.reason == f"judged_{name}"
    lax = Bar(**{f"min_{name}": getattr(judgement, name) - 1})
    assert lax.reject(dataclasses.replace(judgement, **{name: getattr(judgement, name) - 1})) is None


def test_every_low_score_is_told():
    found = Bar().rejects(Judgement(grounded=0, correct=5, self_contained=5, overall=1))
    assert [(r.reason, r.detail) for r in found] == [("judged_grounded", "0 of 5"), ("judged_overall", "1 of 10")]


def test_scores_go_to_the_meta_of_a_document():
    assert GOOD.meta() == {
        "judge_grounded": "4",
        "judge_correct": "5",
        "judge_self_contained": "3",
        "judge_overall": "8",
    }


def test_configs_are_checked():
    with pytest.raises(ConfigError, match="min_overall is 11"):
        Bar(min_overall=11)
    with pytest.raises(ConfigError, match="answer"):
        JudgeConfig(model="m", prompt=JudgePrompt(name="mine", template="{{ answer }}"))
    with pytest.raises(ConfigError, match="max_tokens"):
        JudgeConfig(model="m", max_tokens=0)


def test_prompts_are_pinned():
    """A changed template is a new version of every request: change these on purpose only."""
    assert (JUDGE_EN.digest[:12], JUDGE_ZH.digest[:12]) == ("c1c8532c8c07", "c77b15be6438")


def test_a_whole_object_counts_more_than_later_mentions():
    text = f"{SCORES}\nIf improved, it would be grounded: 5, correct: 5, self-contained: 5, overall: 10"
    assert parse_judgement(text) == GOOD


def test_an_answer_without_scores_is_shown_to_the_judge_once():
    request = judge_request(CONFIG, "a snippet", PAIR)
    assert second_request(CONFIG, request, exchange(SCORES)) is None
    again = second_request(CONFIG, request, exchange("It is fine."))
    assert again is not None
    assert [m.role for m in again.messages] == ["user", "assistant", "user"]
    assert "no score grounded" in again.messages[-1].content
    assert second_request(CONFIG, again, exchange("It is fine.")) is None
    assert second_request(dataclasses.replace(CONFIG, repairs=False), request, exchange("It is fine.")) is None


def test_a_schema_is_sent_where_it_is_wanted():
    body = json.loads(judge_request(dataclasses.replace(CONFIG, structured=True), "a snippet", PAIR).body())
    schema = body["response_format"]["json_schema"]["schema"]
    assert next(iter(schema["properties"])) == "fault"
    assert schema["properties"]["overall"] == {"type": "integer", "minimum": 1, "maximum": 10}
    assert "response_format" not in json.loads(judge_request(CONFIG, "a snippet", PAIR).body())
