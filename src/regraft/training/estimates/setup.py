"""By what means a training is to run, as far as its memory and time follow from it."""

from dataclasses import dataclass
from typing import Literal

from regraft.core import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Settings of an estimate. Only the sequence length and what is marked so are from the paper."""

    sequence_length: int = 8_192
    """Source: context 8,192, packed [N][C]."""
    sequences_per_batch: int = 1
    """That go through the model at once, in each process."""
    sequences_per_step: int = 128
    """Of all processes together."""
    num_ranks: int = 1
    """Processes, one an accelerator."""
    layout: Literal["whole", "ddp", "fsdp"] = "whole"
    """How the model lies in them: in the only one, in each of them, a part in each."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of matrix products; masters are in fp32. Source: bf16 [N][C]."""
    recompute_activations: bool = False
    """Whether activations are computed again in the backward pass. Source: on in the paper [N][C]."""
    average: bool = False
    """Whether a moving average of the weights is kept."""
    document_mask: bool = True
    """Whether documents of a row are told apart by a mask; kernels for sequences of many lengths need none."""
    assumed_mfu: float = 0.4
    """Share of the peak at which the model's operations run: the user's to set. Llama 3 405B ran at 0.38 to 0.43 on
    H100 (2407.21783, table 4)."""
    ranks_per_node: int = 8
    network_bandwidth: float = 50e9
    """Bytes a second that an accelerator sends to other nodes; 400 Gbit/s each."""

    def __post_init__(self) -> None:
        for name in ("sequence_length", "sequences_per_batch", "sequences_per_step", "num_ranks", "ranks_per_node"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; give at least 1.")
        if not 0 < self.assumed_mfu <= 1:
            raise ConfigError(f"assumed_mfu is {self.assumed_mfu}; give more than 0, and 1 at most.")
        if self.network_bandwidth <= 0:
            raise ConfigError(f"network_bandwidth is {self.network_bandwidth}; give bytes a second.")
        if (self.layout == "whole") != (self.num_ranks == 1):
            raise ConfigError(f"{self.num_ranks} processes and layout {self.layout!r}: whole is for one process alone.")

    @property
    def tokens_per_step(self) -> int:
        return self.sequences_per_step * self.sequence_length

    @property
    def batches_per_step(self) -> int:
        """Passes of each process in one step."""
        return -(-self.sequences_per_step // (self.num_ranks * self.sequences_per_batch))

    @property
    def shards(self) -> int:
        """Parts into which masters, gradients and moments are cut."""
        return self.num_ranks if self.layout == "fsdp" else 1

    @property
    def width(self) -> int:
        """Bytes of a number in matrix products."""
        return 2 if self.precision == "bfloat16" else 4

    @property
    def autocast(self) -> bool:
        """Whether matrix products cast fp32 weights; FSDP2 casts them when it gathers them."""
        return self.precision == "bfloat16" and self.layout != "fsdp"
