"""The tools that draw the figures of a training: each imported when it is opened, writing below its folder only."""

import io
import json
import os
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = "regraft"


@dataclass(slots=True)
class Told:
    """The last step of which a tool that cannot take back was told, and which figures; survives a kill.

    What a roll-back does again is not told, until it is beyond the step from which it was rolled back.
    """

    path: Path
    step: int = field(init=False, default=-1)
    names: set[str] = field(init=False, default_factory=set[str])

    def __post_init__(self) -> None:
        with suppress(FileNotFoundError, ValueError):  # not there, or empty since the power failed
            self.step, *names = json.loads(self.path.read_text("utf-8"))
            self.names = set(names)

    def new(self, step: int, figures: Mapping[str, float]) -> dict[str, float]:
        """Return the figures of `step` that are not told yet, and note that now they are."""
        if step < self.step:
            return {}
        if step > self.step:
            self.step, self.names = step, set()
        found = {name: value for name, value in figures.items() if name not in self.names}
        self.names |= found.keys()
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps([self.step, *sorted(self.names)]), "utf-8")
        part.replace(self.path)
        return found


class TensorBoard:
    """Event files; those of steps that are told again after a kill or a roll-back are marked as void (`purge_step`)."""

    def __init__(self, folder: Path, run: str, first_step: int) -> None:
        self._folder = folder / run
        self._begin(first_step)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        if step < self._step:
            self.close()
            self._begin(step)
        self._step = step
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()  # to the file, 0.5 ms with 12 figures: a kill loses nothing that a checkpoint has

    def event(self, step: int, text: str) -> None:
        self._writer.add_text("events", text, step)

    def close(self) -> None:
        self._writer.close()

    def _begin(self, step: int) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer: Any = SummaryWriter(str(self._folder), purge_step=step)
        self._step = step


class Wandb:
    """A run of wandb: online where `WANDB_API_KEY` or `WANDB_MODE` say so, else offline, for `wandb sync` later.

    What it would gather of its own, the command line, code and machine, is not asked for.
    """

    def __init__(self, folder: Path, run: str, first_step: int) -> None:
        import wandb  # pyright: ignore[reportMissingImports]  # an extra

        mode: Any = os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
        settings = wandb.Settings(
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
        )
        resume: Any = "allow" if mode == "online" else None
        self._run: Any = wandb.init(
            project=PROJECT, id=run, name=run, dir=folder, mode=mode, resume=resume, settings=settings
        )
        self._told = Told(folder / f"{run}.told")

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        if new := self._told.new(step, figures):
            self._run.log(new, step=step)

    def event(self, step: int, text: str) -> None:
        self._run.summary[f"event after step {step}"] = text

    def close(self) -> None:
        self._run.finish()


class Trackio:
    """A run of trackio in its own database below the folder."""

    def __init__(self, folder: Path, run: str, first_step: int) -> None:
        os.environ["TRACKIO_DIR"] = str(folder)  # read when trackio is imported
        import trackio  # pyright: ignore[reportMissingImports]  # an extra

        self._trackio: Any = trackio
        with redirect_stdout(io.StringIO()):  # standard output is for what a command was asked for
            self._run: Any = trackio.init(
                project=PROJECT, name=run, resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False
            )
        self._told = Told(folder / f"{run}.told")

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        if new := self._told.new(step, figures):
            self._run.log(new, step=step)

    def event(self, step: int, text: str) -> None:
        with redirect_stdout(io.StringIO()):
            self._run.alert(title=text, step=step)

    def close(self) -> None:
        with redirect_stdout(io.StringIO()):
            self._trackio.finish()
