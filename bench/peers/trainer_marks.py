"""Marks of a training by the Trainer of Transformers, of which LLaMA-Factory's is one."""

from typing import Any

from marks import Marks
from transformers import TrainerCallback


class MarkSteps(TrainerCallback):
    """Notes every step and its loss."""

    def __init__(self) -> None:
        self.marks = Marks()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Note the loss of the step that was just logged, and that it is over: logging is the last that is done."""
        if logs and "loss" in logs:
            self.marks.losses.append(float(logs["loss"]))
            self.marks.step_ends()
