"""Progress for people: bars with rate and time left in a terminal, plain lines elsewhere."""

import logging
import sys
import time
from dataclasses import dataclass, field

from regraft.core import Progress, Ticker

LINE_SECONDS = 10.0
"""A plain line at most this often."""


def setup() -> Progress:
    """Send the log to standard error and return what shows progress there."""
    logger = logging.getLogger("regraft")
    logger.setLevel(logging.INFO)
    logger.handlers.clear()
    if sys.stderr.isatty():
        from regraft.terminal_rich import RichProgress, rich_handler

        progress = RichProgress()
        logger.addHandler(rich_handler(progress.console))
        return progress
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    return PlainProgress(logger)


@dataclass(slots=True)
class PlainTicker:
    """Writes a line when it has something new to say, and not more often than every few seconds."""

    log: logging.Logger
    label: str
    total: float
    unit: str
    done: float
    since: float = field(default_factory=time.monotonic)
    shown: float = field(default_factory=time.monotonic)
    start: float = 0.0

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.done += amount
        if time.monotonic() - self.shown >= LINE_SECONDS:
            self.shown = time.monotonic()
            self.log.info("    %s", self.line(note))

    def line(self, note: str = "") -> str:
        """Return for example `train 40/90 steps (44 %), 0.2 steps/s, 4 min left`."""
        rate = (self.done - self.start) / max(time.monotonic() - self.since, 1e-9)
        left = f", {duration((self.total - self.done) / rate)} left" if rate > 0 and self.total > self.done else ""
        known = self.total and self.done <= self.total  # else there is more to do than was thought
        share = f"/{self.total:,.0f} {self.unit} ({self.done / self.total:.0%})" if known else f" {self.unit}"
        text = f"{self.label} {self.done:,.0f}{share}, {rate:,.3g} {self.unit}/s{left}"
        return f"{text}, {note}" if note else text


@dataclass(frozen=True, slots=True)
class PlainProgress:
    """Progress as lines of the log."""

    log: logging.Logger

    def track(self, label: str, total: float, unit: str, done: float = 0) -> Ticker:
        return PlainTicker(self.log, label, total, unit, done, start=done)

    def finish(self, ticker: Ticker) -> None:
        pass


def duration(seconds: float) -> str:
    """Return a time for people: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
