"""Real text as passages that are rows of a training: 512 tokens each with the end token, whoever tokenizes it.

With one passage a row nobody has documents to keep apart, and all sides of `bench.training` compute the same.

python -m bench.passages --corpus FOLDER --model FOLDER --out FOLDER --count 200
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from bench.found import rows
from regraft.lm.load import load_tokenizer

TOKENS = 512
HELD_OUT = 80
"""Passages that are not trained on."""
Passage = tuple[str, list[int]]


def end_token(model: Path) -> str:
    """Return the token that ends a document: the one that the folder names, since LLaMA-Factory takes no other."""
    return json.loads((model / "tokenizer_config.json").read_text("utf-8"))["eos_token"]


def passages(corpus: Path, tokenizer: Tokenizer, end: int) -> Iterator[Passage]:
    """Yield the passages of English documents, and the tokens of each with `end`."""
    for row in rows(corpus / "text"):
        if row["language"] == "en":
            yield from _of(row["text"], tokenizer, end)


def _of(text: str, tokenizer: Tokenizer, end: int) -> Iterator[Passage]:
    encoded = tokenizer.encode(text, add_special_tokens=False)
    for start in range(0, len(encoded.ids) - TOKENS, TOKENS):
        passage = text[encoded.offsets[start][0] : encoded.offsets[start + TOKENS - 2][1]].strip()
        ids = tokenizer.encode(passage, add_special_tokens=False).ids
        if len(ids) == TOKENS - 1:  # else cutting and stripping changed the first or last tokens
            yield passage, [*ids, end]


def write(out: Path, found: Sequence[Passage]) -> None:
    """Write the passages as each side reads them: JSON lines for regraft, rows of tokens, a dataset by name."""
    out.mkdir(parents=True)
    learn, held_out = found[:-HELD_OUT], found[-HELD_OUT:]
    for name, part in (("documents", learn), ("held_out", held_out)):
        lines = (json.dumps({"id": f"{name}-{i}", "text": text}) for i, (text, _) in enumerate(part))
        (out / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (out / "rows.json").write_text(json.dumps([ids for _, ids in learn]), "utf-8")
    (out / "passages.json").write_text(json.dumps([{"text": text} for text, _ in learn]), "utf-8")
    info = {"passages": {"file_name": "passages.json", "columns": {"prompt": "text"}}}
    (out / "dataset_info.json").write_text(json.dumps(info), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("corpus", "model", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    given = parser.parse_args()
    tokenizer = load_tokenizer(given.model)
    found = passages(given.corpus, tokenizer, tokenizer.token_to_id(end_token(given.model)))
    write(given.out, [next(found) for _ in range(given.count + HELD_OUT)])


if __name__ == "__main__":
    main()
