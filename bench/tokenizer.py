"""Train the tokenizer of the benchmarks: 32,000 byte pairs by default, split as Llama 3 does, on documents of a corpus.

python -m bench.tokenizer --corpus FOLDER --out tokenizer.json
"""

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from bench.found import rows

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Source: the published tokenizer.json of Llama 3."""
DOCUMENTS, WORDS = 20_000, 32_000


def texts(corpus: Path) -> Iterator[str]:
    """Yield the texts to learn from."""
    return (row["text"] for row in islice(rows(corpus / "text"), DOCUMENTS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--words", type=int, default=WORDS)
    given = parser.parse_args()
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(SPLIT), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=given.words,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(given.corpus), trainer)
    tokenizer.save(str(given.out))
    print(f"{tokenizer.get_vocab_size()} tokens in {given.out.name}")


if __name__ == "__main__":
    main()
