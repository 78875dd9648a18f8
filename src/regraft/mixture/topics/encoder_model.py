"""Fine-tuning and prediction of an encoder with a linear head; deterministic on a CPU, threads being as many.

Legend: B texts of a batch, T tokens, D hidden size, K topics.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from regraft.core import ConfigError
from regraft.lm.load import load_encoder, load_tokenizer, quiet_transformers
from regraft.lm.threads import torch_threads
from regraft.mixture.topics.classifier import Means
from regraft.mixture.topics.encoder import FineTunedEncoder

_ENCODER, _HEAD = "encoder", "head.safetensors"
_PREDICTED_AT_ONCE = 32
_CHARACTERS = 64
"""Of a text that are tokenized for each of `max_tokens`: no text needs so many, and books are not tokenized whole."""
_WARMUP = 0.1
"""Of the steps."""


class EncoderModel:
    """An encoder, its tokenizer and a head."""

    def __init__(self, config: FineTunedEncoder, folder: Path, means: Means) -> None:
        self.config, self.device, self.threads = config, means.device, means.threads
        self.encoder: Any = load_encoder(folder, device=self.device)
        self.tokenizer: Tokenizer = load_tokenizer(folder)
        self.tokenizer.enable_truncation(config.max_tokens)
        positions = getattr(self.encoder.config.get_text_config(), "max_position_embeddings", config.max_tokens)
        if positions < config.max_tokens:
            raise ConfigError(f"max_tokens is {config.max_tokens}, but the encoder has {positions} positions.")
        self.size: int = self.encoder.config.get_text_config().hidden_size

    @staticmethod
    def open(config: FineTunedEncoder, folder: Path, means: Means) -> "EncoderModel":
        """Return a model as `fit` wrote it."""
        model = EncoderModel(config, folder / _ENCODER, means)
        weights = load_file(folder / _HEAD)
        model.head = nn.Linear(model.size, len(weights["bias"])).to(means.device)
        model.head.load_state_dict(weights)
        return model

    def add_head(self, num_topics: int) -> None:
        """Give it a head that knows nothing: the same probability for every topic."""
        self.head = nn.Linear(self.size, num_topics).to(self.device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def save(self, source: Path, folder: Path) -> None:
        """Write encoder, tokenizer and head."""
        with quiet_transformers():
            self.encoder.save_pretrained(folder / _ENCODER)
        shutil.copyfile(source / "tokenizer.json", folder / _ENCODER / "tokenizer.json")
        save_file({name: value.contiguous() for name, value in self.head.state_dict().items()}, folder / _HEAD)

    def features(self, texts: Sequence[str]) -> Tensor:
        """Return the mean of the last hidden states over the tokens of each text, normalised: (B, D)."""
        starts = [text[: _CHARACTERS * self.config.max_tokens] for text in texts]
        encoded = [encoding.ids or [0] for encoding in self.tokenizer.encode_batch(starts)]
        longest = max(map(len, encoded))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in encoded], device=self.device)  # (B, T)
        lengths = torch.tensor([len(row) for row in encoded], device=self.device)  # (B,)
        mask = torch.arange(longest, device=self.device) < lengths[:, None]  # (B, T)
        hidden = self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state  # (B, T, D)
        mean = (hidden * mask[:, :, None]).sum(1) / lengths[:, None]
        return F.layer_norm(mean, (self.size,))

    @torch.inference_mode()
    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        found = np.zeros((len(texts), self.head.out_features))
        with torch_threads(self.threads):
            for rows in self._alike(texts):
                logits = self.head(self.features([texts[i] for i in rows]))  # (B, K)
                found[rows] = logits.double().softmax(1).cpu().numpy()
        return found

    def all_features(self, texts: Sequence[str]) -> Tensor:
        """Return the features of many texts, without gradients."""
        found = torch.zeros(len(texts), self.size, device=self.device)
        with torch.no_grad():
            for rows in self._alike(texts):
                found[rows] = self.features([texts[i] for i in rows])
        return found

    def _alike(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Yield batches of indices of texts of about one length, so that little is padding."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        yield from (order[i : i + _PREDICTED_AT_ONCE] for i in range(0, len(order), _PREDICTED_AT_ONCE))


def fit(
    config: FineTunedEncoder,
    texts: Sequence[str],
    labels: Sequence[int],
    num_topics: int,
    encoder: Path,
    folder: Path,
    means: Means,
) -> None:
    """Write what is learned; every topic weighs the same in the loss."""
    with (
        torch.random.fork_rng(devices=[]),
        torch_threads(means.threads),
    ):  # for dropout, and weights that the checkpoint lacks
        torch.manual_seed(config.seed)
        model = EncoderModel(config, encoder, means)
        model.add_head(num_topics)
        _train(model, texts, torch.tensor(labels, device=means.device))
    model.save(encoder, folder)


def _train(model: EncoderModel, texts: Sequence[str], labels: Tensor) -> None:
    config, counts = model.config, torch.bincount(labels, minlength=model.head.out_features)
    weight = len(labels) / (len(counts) * counts.clamp(min=1).float())
    known = model.all_features(texts) if config.frozen else None
    groups: list[dict[str, Any]] = [{"params": model.head.parameters(), "lr": config.head_learning_rate}]
    if not config.frozen:
        groups.append({"params": model.encoder.parameters(), "lr": config.learning_rate})
    optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    batches = [rows for _ in range(config.epochs) for rows in torch.randperm(len(texts)).split(config.batch_size)]
    warmup = max(1, round(_WARMUP * len(batches)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (len(batches) - step) / max(1, len(batches) - warmup))
    )
    model.encoder.train(not config.frozen)
    for rows in batches:
        features = model.features(_at(texts, rows)) if known is None else known[rows]
        loss = F.cross_entropy(model.head(features), labels[rows], weight)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        schedule.step()
    model.encoder.eval()


def _at(texts: Sequence[str], rows: Tensor) -> list[str]:
    indices: list[int] = rows.tolist()
    return [texts[i] for i in indices]
