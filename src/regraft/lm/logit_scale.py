"""By what an architecture multiplies what its head gives; most leave it as it is.

Source: the modeling files of Transformers 5.23, where these fields of a config stand beside the head.
"""

from typing import TYPE_CHECKING, Any

from regraft.core import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MULTIPLIES = ("logit_scale", "lm_head_multiplier")
"""Of Cohere; of Falcon-H1."""
DIVIDES = ("logits_scaling",)
"""Of Granite and MiniCPM3; HyperCLOVA X multiplies by a field of the same name."""
UNKNOWN = ("mup_width_multiplier", "logits_mup_width_multiplier", "output_multiplier")
"""Fields of models that were not tried here."""


def logit_scale(model: "PreTrainedModel") -> float:
    """Return the number that the model's logits are its head's output times, before any soft cap.

    Raises:
        ConfigError: its config scales them by a field that is not known here.
    """
    config = model.config.get_text_config()
    if unknown := [name for name in UNKNOWN if _value(config, name) != 1]:
        raise ConfigError(f"{type(model).__name__} scales its logits by {unknown}; regraft does not know how.")
    scale = 1.0
    for name in MULTIPLIES:
        scale *= _value(config, name)
    for name in DIVIDES:
        value = _value(config, name)
        scale = scale * value if config.model_type.startswith("hyperclovax") else scale / value
    return scale


def _value(config: Any, name: str) -> float:
    value = getattr(config, name, None)
    return 1.0 if value is None else float(value)
