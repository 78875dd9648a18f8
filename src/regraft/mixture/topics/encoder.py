"""A pretrained Transformers encoder, fine-tuned: the stronger classifier, and the one that the paper takes.

Source: TinyBERT, fine-tuned on labels by a strong model [N]; which of its checkpoints, and whether one for both
languages, is not in the paper. Bring it, or any other, with `import_backbone` (name and revision, or a local folder)
and wire it as the input `encoder`. Weights that a hub holds only as a pickle must be saved as safetensors first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regraft.core import ConfigError
from regraft.mixture.topics.classifier import Means, Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTunedEncoder:
    """The mean of the last hidden states and a linear layer, trained with the encoder in 32-bit floats.

    Any model that Transformers opens as `AutoModel` will do, a decoder too. All settings are not in the paper.
    """

    max_tokens: int = 256
    """Read from the start of each document, special tokens of the encoder included."""
    epochs: int = 5
    batch_size: int = 16
    learning_rate: float = 5e-5
    """Of the encoder. It rises over the first tenth of the steps and then falls to 0, as does that of the head."""
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    frozen: bool = False
    """Leaves the encoder as it is, so that only the head learns: a linear probe."""
    seed: int = 0

    def __post_init__(self) -> None:
        rates = (self.learning_rate, self.head_learning_rate)
        if min(self.max_tokens, self.epochs, self.batch_size) < 1 or min(rates) <= 0 or self.weight_decay < 0:
            raise ConfigError(f"Sizes and learning rates must be positive, weight_decay not negative: {self}.")

    def fit(self, texts: Sequence[str], labels: Sequence[int], num_topics: int, folder: Path, means: Means) -> None:
        """Write the encoder and the head; as `Classifier.fit`.

        Raises:
            ConfigError: no encoder is given, or it has fewer positions than `max_tokens`.
        """
        from regraft.mixture.topics.encoder_model import fit

        if means.encoder is None:
            raise ConfigError("FineTunedEncoder needs an encoder: wire a step of `import_backbone` as `encoder`.")
        fit(self, texts, labels, num_topics, means.encoder, folder, means)

    def open(self, folder: Path, means: Means) -> Predictor:
        """Return the classifier in `folder`; as `Classifier.open`."""
        from regraft.mixture.topics.encoder_model import EncoderModel

        return EncoderModel.open(self, folder, means)
