"""JSON objects in answers, as models write them."""

import json

import pytest

from regraft.lm.client.chat import ChatRequest, Message
from regraft.lm.client.structured import read_object, repair_request

REQUEST = ChatRequest(model="m", messages=(Message(role="user", content="q"),), max_tokens=10)


@pytest.mark.parametrize(
    "text",
    [
        '{"score": 3}',
        'Let me see.\n```json\n{"score": 3}\n```\nDone.',
        'A set {1, 2} first, then {"other": 1} and {"score": 3}',
        '{"score": 3} {"score": 4}',
    ],
)
def test_the_first_object_with_the_fields_is_found(text: str) -> None:
    assert read_object(text, ["score"]) == {"score": 3}


def test_a_line_break_in_a_string_is_kept() -> None:
    assert read_object('{"text": "a\nb"}', ["text"]) == {"text": "a\nb"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no JSON object"), ('{"score": 3', "no JSON object"), ('[3, "{"]', "no JSON object"), ('{"a": 1}', "score")],
)
def test_why_there_is_none_is_said(text: str, reason: str) -> None:
    found = read_object(text, ["score"])
    assert isinstance(found, str)
    assert reason in found


def test_an_answer_is_repaired_once() -> None:
    repair = repair_request(REQUEST, "three", "there is no JSON object in it")
    assert repair is not None
    assert [m.role for m in repair.messages] == ["user", "assistant", "user"]
    assert repair.messages[1].content == "three"
    assert repair.key != REQUEST.key
    assert repair_request(repair, "three", "there is none") is None


def test_a_schema_is_sent_and_is_part_of_the_key_only_where_there_is_one() -> None:
    schema = '{"type": "object"}'
    asked = ChatRequest(model="m", messages=REQUEST.messages, max_tokens=10, json_schema=schema)
    assert json.loads(asked.body())["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert b"response_format" not in REQUEST.body()
    assert asked.key != REQUEST.key
