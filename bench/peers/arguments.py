"""What every side of `bench.training` is asked on the command line."""

import argparse
from pathlib import Path


def arguments(description: str | None) -> argparse.Namespace:
    """Return what to train, on what and how."""
    return parser(description).parse_args()


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return what asks for it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", type=Path, required=True, help="Transformers folder")
    parser.add_argument("--passages", type=Path, required=True, help="folder that bench.passages made")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), required=True)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True, help="of a step, all at once")
    parser.add_argument("--rate", type=float, required=True, help="learning rate, constant")
    parser.add_argument("--work", type=Path, required=True, help="empty folder")
    parser.add_argument("--out", type=Path, required=True, help="JSON of the marks")
    return parser
