"""What every client of `bench.client` is asked on the command line."""

import argparse
import json
from pathlib import Path


def asked(description: str | None) -> argparse.Namespace:
    """Return what to ask whom, and where to write."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--prompts", type=Path, required=True, help="JSON lines, each a text")
    parser.add_argument("--server", required=True, help="http://HOST:PORT")
    parser.add_argument("--at-once", type=int, required=True, help="requests")
    parser.add_argument("--store", action="store_true", help="keep answers safe from a kill, where that is an option")
    parser.add_argument("--out", type=Path, required=True, help="empty folder")
    given = parser.parse_args()
    given.prompts = [json.loads(line) for line in given.prompts.read_text("utf-8").splitlines()]
    return given
