"""A process that compares, `python -m regraft.synthesis.comparisons`: pairs of answers as JSON lines in, verdicts out.

It says `ready` first. Its bounds on memory (bytes) and on processor time for a pair (seconds) are its arguments; what
passes them ends the process.
"""

import json
import logging
import resource
import signal
import sys
from typing import Any


def main(max_cpu_s: float, max_memory_bytes: int) -> None:
    """Compare what comes in until there is no more."""
    logging.disable(logging.ERROR)  # that the library has no timeout of its own is meant
    from math_verify import LatexExtractionConfig, parse, verify  # pyright: ignore[reportMissingTypeStubs]

    def read(answer: str) -> list[Any]:
        # as LaTeX only: for plain expressions the library calls Python's own evaluation
        return parse(f"${answer}$", extraction_config=[LatexExtractionConfig()], parsing_timeout=0)

    def same(answer: list[Any], other: list[Any]) -> bool | None:
        if not (answer and other):
            return None
        return verify(answer, other, timeout_seconds=None) or verify(other, answer, timeout_seconds=None)

    resource.setrlimit(resource.RLIMIT_AS, (max_memory_bytes, max_memory_bytes))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, max_cpu_s)  # its signal, which nothing handles, ends the process
        verdict = same(*map(read, json.loads(line)))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(verdict), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
