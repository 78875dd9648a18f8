"""A Llama of 12.6 million random parameters with a tokenizer of 8,192 byte pairs, as a Transformers folder.

python -m bench.small_model --tokenizer tokenizer.json --out FOLDER
"""

import argparse
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END = "<|endoftext|>"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True, help="by bench.tokenizer with --words 8192")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(given.tokenizer), eos_token=END, pad_token=END)
    torch.manual_seed(0)
    end = tokenizer.convert_tokens_to_ids(END)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(given.out)
    tokenizer.save_pretrained(given.out)
    print(f"{model.num_parameters():,} parameters")


if __name__ == "__main__":
    main()
