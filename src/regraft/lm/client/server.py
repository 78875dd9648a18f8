"""A llama.cpp server of our own, for a step that needs a generator and was given a GGUF file instead of an endpoint.

It runs as a child process on the loopback address only, on a free port. It lives as long as the block that started
it, however long that is, and ends when its standard input closes, which also happens when the parent is killed with
SIGKILL. Only loading has a time limit.

The same request gives the same bytes whatever was asked before and however often the server was started: no prompt is
taken from a cache, whose reuse changes the batch shapes and with them the last bits of the logits.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from regraft.core import RegraftError


@contextmanager
def embedded_server(
    gguf: Path, *, threads: int = 1, context_tokens: int = 2048, parallel: int = 1, load_seconds: int = 600
) -> Generator[str]:
    """Yield the base URL (`http://127.0.0.1:PORT/v1`) of a server that is ready; it is gone when the block is left.

    Args:
        gguf: the model, with its chat template inside.
        threads: CPU threads of the decoder; they do not change what is generated. They wait for each other spinning:
            with 135M parameters on 2 busy cores 1 thread gave 20 tokens/s and 2 threads 2 tokens/s, so start another
            server instead of another thread when the model is small.
        context_tokens: prompt and answer together, for each of the `parallel` requests.
        parallel: requests decoded together. With more than 1 an answer may depend on its neighbours (measured: 1 of 4
            answers changed with 4).
        load_seconds: a server that is not ready by then is given up.

    Raises:
        RegraftError: no such file, or the server did not start; with the last lines that it wrote.
    """
    if not gguf.is_file():
        raise RegraftError(f"{gguf} does not exist. Give a GGUF file, or the URL of a running endpoint (--endpoint).")
    options = {"threads": threads, "context-tokens": context_tokens, "parallel": parallel, "load-seconds": load_seconds}
    command = [sys.executable, "-m", "regraft.lm.client.server", str(gguf), *(f"--{k}={v}" for k, v in options.items())]
    with tempfile.TemporaryFile("w+b") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            yield f"{_address(process, gguf, log)}/v1"
        finally:
            _stop(process)


def _address(process: "subprocess.Popen[str]", gguf: Path, log: IO[bytes]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("http://"):
            return line.strip()
    code = process.wait()
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").splitlines()[-8:]
    why = "it took too long to load" if code == -signal.SIGALRM else f"exit code {code}"
    raise RegraftError("\n".join([f"The embedded server of {gguf} did not start ({why}):", *lines]))


def _stop(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def serve(gguf: str, *, threads: int, context_tokens: int, parallel: int) -> str:
    """Start the server inside this process, in threads of its own, and return its address once the model is loaded."""
    import xllamacpp

    params = xllamacpp.CommonParams()  # pyright: ignore[reportAttributeAccessIssue]
    params.model.path = gguf
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = parallel
    params.n_ctx = context_tokens * parallel
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.use_jinja = True
    params.model_alias = {Path(gguf).name}  # the default is the path, which would stand in every answer
    params.offline = True
    params.ui = False
    server = xllamacpp.Server(params)  # pyright: ignore[reportAttributeAccessIssue]
    _SERVERS.append(server)
    return str(server.listening_address)


_SERVERS: list[object] = []
"""Keeps a running server from being collected."""


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m regraft.lm.client.server", description=main.__doc__)
    parser.add_argument("gguf")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--context-tokens", type=int, default=2048)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--load-seconds", type=int, default=600)
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when we end
    signal.alarm(given.load_seconds)
    address = serve(given.gguf, threads=given.threads, context_tokens=given.context_tokens, parallel=given.parallel)
    signal.alarm(0)
    print(address, flush=True)
    sys.stdin.read()
    # Joining llama.cpp's threads can take as long as the answer under way: nobody waits for it.
    signal.raise_signal(signal.SIGKILL)


if __name__ == "__main__":
    main()
