"""Figures of a training told to tools that draw them while it runs: TensorBoard, wandb, trackio.

Steps that were told before a kill are not told twice. No tool is asked for a key: wandb takes its own from the
environment, and writes below the folder only where there is none.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from regraft.core import ConfigError
from regraft.training.trackers import TensorBoard, Trackio, Wandb

if TYPE_CHECKING:
    from collections.abc import Generator


class Tracker(Protocol):
    """Is told how a training goes."""

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Tell figures of a step. Steps rise, but for a roll-back; a step may be told in parts, no figure twice."""
        ...

    def event(self, step: int, text: str) -> None:
        """Tell what happened after a step, in words."""
        ...

    def close(self) -> None:
        """Write what is not written yet."""
        ...


def open_trackers(names: Sequence[str], folder: Path, run: str, first_step: int, log: logging.Logger) -> "Trackers":
    """Return the trackers of these names as one, continuing `run` from `first_step` on.

    Args:
        names: of `tensorboard`, `wandb` and `trackio`.
        folder: they write below it only, each in a folder of its own.
        run: what the run is called, the same after a kill.
        first_step: the next one that is told; what was told of it and later ones before a kill counts no more.
        log: is told when a tracker fails, which ends no training.

    Raises:
        ConfigError: the package of a tracker is not installed.
    """
    opened: dict[str, Tracker] = {}
    for name in dict.fromkeys(names):
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        try:
            with _needed(name):
                opened[name] = _OPEN[name](target, run, first_step)
        except ConfigError:
            raise
        except Exception as error:  # as when it fails later
            log.warning("%s is told nothing: it cannot be opened: %s: %s", name, type(error).__name__, error)
    return Trackers(opened, log)


@dataclass(slots=True)
class Trackers:
    """Several trackers as one. A tracker that fails, when it is opened or later, is left out from there on, and the log
    says so."""

    by_name: dict[str, Tracker]
    logger: logging.Logger

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        self._each(lambda tracker: tracker.log(step, figures))

    def event(self, step: int, text: str) -> None:
        self._each(lambda tracker: tracker.event(step, text))

    def close(self) -> None:
        self._each(lambda tracker: tracker.close())

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self.by_name.items()):
            try:
                tell(tracker)
            except Exception as error:  # a tool that only shows must not end a training, whatever it raises
                del self.by_name[name]
                self.logger.warning("%s is told nothing more: %s: %s", name, type(error).__name__, error)


_OPEN: dict[str, Callable[[Path, str, int], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "trackio": Trackio,
}


@contextmanager
def _needed(name: str) -> "Generator[None]":
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(f"The tracker {name} is not installed: pip install 'regraft[{name}]'.") from error
