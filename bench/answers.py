"""What `bench.slot_server` answers: a pair of a request's own snippet, which passes every check, or good scores."""

import json

RULE = "---\n"
"""Before and after a snippet in our prompts."""
JUDGES = "grounded, correct, self_contained and overall"
"""What stands in a prompt for a judgement."""
SCORES = 'No fault.\n{"grounded": 5, "correct": 5, "self_contained": 5, "overall": 9}'


def pair(snippet: str) -> str:
    """Return a problem and a solution as grounded as can be: the solution is the snippet."""
    return f"**Problem**\nWhat is to be known of {' '.join(snippet.split()[:8])}?\n**Solution**\n{snippet.strip()}"


def text_for(prompt: str) -> str:
    """Return the answer to a prompt."""
    if JUDGES in prompt:
        return SCORES
    parts = prompt.split(RULE)
    return pair(parts[1]) if len(parts) > 2 else "Nothing was asked that could be answered."


def answer(body: bytes) -> bytes:
    """Return the body of a chat completion; a token is four characters."""
    messages = json.loads(body)["messages"]
    prompt = _text(messages[-1]["content"]) if messages else ""
    said = text_for(prompt)
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop", "logprobs": None}
    used, made = len(prompt) // 4, len(said) // 4
    usage = {"prompt_tokens": used, "completion_tokens": made, "total_tokens": used + made}
    kind = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "m"}
    return json.dumps({**kind, "choices": [choice], "usage": usage}).encode()


def _text(content: object) -> str:
    """Return the text of a message, which some clients send in parts."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)  # type: ignore
