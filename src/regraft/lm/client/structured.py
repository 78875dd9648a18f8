"""A JSON object out of an answer: read tolerantly, and asked for once more where it cannot be read. Pure functions."""

import dataclasses
import json
from collections.abc import Collection
from typing import Any

from regraft.lm.client.chat import ChatRequest, Message

_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings as they are
_REPAIR = "This is not the JSON object that was asked for: "


def read_object(text: str, fields: Collection[str]) -> dict[str, Any] | str:
    """Return the first JSON object in an answer that has these fields, or why there is none.

    What stands around it is passed over: reasoning, a code fence, a closing remark.
    """
    reason, start = "there is no JSON object in it", text.find("{")
    while start >= 0:
        found, end = _object_at(text, start)
        if found is not None:
            missing = sorted(set(fields) - found.keys())
            if not missing:
                return found
            reason = f"it has no {', '.join(missing)}"
        start = text.find("{", end)
    return reason


def repair_request(request: ChatRequest, text: str, reason: str) -> ChatRequest | None:
    """Return the request that shows the model its answer and what is wrong with it; None when that was done already."""
    if request.messages[-1].content.startswith(_REPAIR):
        return None
    wrong = Message(role="assistant", content=text)
    please = Message(role="user", content=f"{_REPAIR}{reason}. Answer again with the JSON object alone.")
    return dataclasses.replace(request, messages=(*request.messages, wrong, please))


def _object_at(text: str, start: int) -> tuple[dict[str, Any] | None, int]:
    """Return the object that begins at `start`, None when none does, and where to look on."""
    try:
        found, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start + 1
    return found, end
