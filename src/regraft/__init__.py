"""Continual pre-training with evidence: graft new abilities onto a pretrained model and keep the old ones.

From Python: `regraft.run(quickstart(tokens=50_000), store="store")`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from regraft.core import Execution, Progress, Run, Step, Store
from regraft.core import run as _run_steps

__version__ = "0.1.0"
__all__ = ["Execution", "Run", "Step", "Store", "__version__", "run"]


def run(
    steps: Iterable[Step[Any]],
    *,
    store: str | Path = "store",
    execution: Execution | None = None,
    progress: Progress | None = None,
    recipe: str = "run",
) -> Run:
    """Make every step that is not in the store yet and return which artifact stands for which step.

    Raises:
        ConfigError: the recipe is wrong; nothing has run.
        StepFailed: a step raised; everything made before it stays.
    """
    return _run_steps(steps, Store(Path(store)), execution, progress, recipe=recipe)
