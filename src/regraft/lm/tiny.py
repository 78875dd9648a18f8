"""Seeded small Llama models with a byte-level tokenizer, for tests and surrogates: nothing is downloaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regraft.core import ConfigError, Context, Kind, Metrics, stage

SEPARATOR = "<|endoftext|>"
"""Document separator, always id 0."""
SMALLEST_VOCABULARY = 257
"""One token a byte and the separator."""

SAMPLE_TEXTS = (
    "A graft joins a young shoot to an old root: the tree keeps its strength and bears new fruit. Gardeners cut both "
    "at a slant, press the cut faces together and wait until the wood has grown into one.",
    "嫁接是把幼枝接到老根上：老树保持原有的力量，又结出新的果实。园丁把两边斜着切开，让切口紧贴，等待木质长成一体。",
)
"""Two short paragraphs, enough for a tokenizer that knows both scripts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyConfig:
    """A small Llama with tied embeddings and random weights, and a byte-level BPE tokenizer trained on `texts`."""

    texts: tuple[str, ...] = SAMPLE_TEXTS
    vocab_size: int = 512
    """Rows of the embedding. The tokenizer has fewer tokens when the texts hold too few pairs to merge."""
    num_layers: int = 2
    hidden_size: int = 64
    num_heads: int = 4
    context: int = 512
    """Tokens."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.vocab_size < SMALLEST_VOCABULARY:
            raise ConfigError(f"vocab_size is {self.vocab_size}; bytes alone take {SMALLEST_VOCABULARY}.")
        if min(self.num_layers, self.hidden_size, self.num_heads, self.context) < 1:
            raise ConfigError(f"num_layers, hidden_size, num_heads and context must be positive: {self}.")
        if self.hidden_size % (2 * self.num_heads):
            raise ConfigError(f"hidden_size {self.hidden_size} is no multiple of 2 x num_heads ({self.num_heads}).")


@stage(version=1, makes=Kind.CHECKPOINT)
def make_tiny(config: TinyConfig, ctx: Context) -> Metrics:
    """Write a seeded small model with its tokenizer to `model/`: the same config gives the same bytes."""
    return write_tiny(ctx.out / "model", config)


def tiny_model_folder(path: Path, texts: Sequence[str] = SAMPLE_TEXTS, *, vocab_size: int = 512, seed: int = 0) -> Path:
    """Write a Transformers folder with a seeded small Llama and a tokenizer trained on `texts`; returns `path`."""
    write_tiny(path, TinyConfig(texts=tuple(texts), vocab_size=vocab_size, seed=seed))
    return path


def write_tiny(path: Path, config: TinyConfig) -> Metrics:
    """Write model and tokenizer as a Transformers folder and return their sizes."""
    num_tokens = _write_tokenizer(path, config)
    return {"parameters": _write_model(path, config), "vocabulary": num_tokens, "context": config.context}


def _write_tokenizer(path: Path, config: TinyConfig) -> int:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from regraft.lm.load import quiet_transformers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=[SEPARATOR],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(config.texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=SEPARATOR, model_max_length=config.context)
    with quiet_transformers():
        fast.save_pretrained(path)
    return bpe.get_vocab_size()


def _write_model(path: Path, config: TinyConfig) -> int:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from regraft.lm.load import quiet_transformers

    llama = LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=3 * config.hidden_size,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_heads,
        max_position_embeddings=config.context,
        initializer_range=config.hidden_size**-0.5,  # so large that context matters without any training
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = LlamaForCausalLM(llama)
    with quiet_transformers():
        model.save_pretrained(path)
    return model.num_parameters()
