"""Progress bars of the rich library; imported only where there is a terminal."""

import logging
from dataclasses import dataclass

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from regraft.core import Ticker


def rich_handler(console: Console) -> logging.Handler:
    """Return a log handler that writes above the bars."""
    handler = RichHandler(console=console, show_path=False, show_level=False, markup=False, highlighter=None)
    handler.setFormatter(logging.Formatter("%(message)s", "%X"))
    return handler


class RateColumn(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.3g}/s" if task.speed else "")


@dataclass(frozen=True, slots=True)
class RichTicker:
    """One bar."""

    bars: Progress
    task: TaskID

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.bars.update(self.task, advance=amount, note=note)


class RichProgress:
    """Bars that are there while something is tracked."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bars = Progress(
            TextColumn("    {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            RateColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
        )
        self.running = 0

    def track(self, label: str, total: float, unit: str, done: float = 0) -> Ticker:
        if self.running == 0:
            self.bars.start()
        self.running += 1
        return RichTicker(self.bars, self.bars.add_task(label, total=total, completed=int(done), unit=unit, note=""))

    def finish(self, ticker: Ticker) -> None:
        if isinstance(ticker, RichTicker):
            self.bars.remove_task(ticker.task)
        self.running -= 1
        if self.running == 0:
            self.bars.stop()
