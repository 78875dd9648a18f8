"""What a training tells while it goes: rows for its tables, lines of the log, figures for trackers."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from regraft.mixture.shares import StreamKey
from regraft.training.ledger import Ledger
from regraft.training.streams import PackedStream
from regraft.training.throughput import Machine, StepClock, Throughput
from regraft.training.tracking import Trackers
from regraft.training.validation import Measured, standard_error

Served = Sequence[tuple[StreamKey, int]]
"""Stream and number of sequences, in the order of serving."""


@dataclass(slots=True, kw_only=True)
class Journal:
    """All that is told, by the first process; the others keep the sums that they need."""

    ledger: Ledger
    trackers: Trackers
    log: logging.Logger
    machine: Machine
    clock: StepClock = field(default_factory=StepClock)

    def begin(self) -> None:
        """Count the time from here on."""
        self.clock.lap("logging")
        self.clock.take()

    def note(self, step: int, stream: str, what: str, detail: str) -> None:
        """Tell what happened after a step: to a stream, or to the training where `stream` is empty."""
        self.log.info("%s %s: %s", stream or "training", what, detail)
        self.trackers.event(step, f"{stream or 'training'} {what}: {detail}")
        self.ledger.add("events", {"step": step, "stream": stream, "what": what, "detail": detail})

    def step(self, row: Mapping[str, Any], num_tokens: int) -> str:
        """Tell a row of STEPS and the time since the last one, in which `num_tokens` were trained on.

        Returns:
            It in a few words.
        """
        laps = self.clock.take()
        found = Throughput(laps=laps, tokens=num_tokens, machine=self.machine)
        self.ledger.add("steps", dict(row))
        times = {"step": row["step"], "seconds": laps.training_seconds, "tokens_per_second": found.tokens_per_second}
        self.ledger.add("times", {**times, **laps.columns()})
        figures = {f"train/{name}": float(value) for name, value in row.items() if name != "step"}
        self.trackers.log(row["step"], {**figures, **found.figures()})
        return f"loss {row['loss']:.3f}, {found.tokens_per_second:,.0f} tokens/s, {found.mfu:.0%} of the peak"

    def served(self, step: int, served: Served, streams: Mapping[StreamKey, PackedStream]) -> None:
        """Tell which pieces of which documents a step consumed."""
        rows = (
            {"step": step, "stream": str(key), "sequence": number, "id": id_, "start": start, "stop": stop}
            for key, number in served
            for id_, start, stop in streams[key].named_pieces(number)
        )
        self.ledger.add("served", *rows)

    def held_out(self, step: int, measured: Mapping[StreamKey, Measured]) -> None:
        """Tell the held-out loss of every stream."""
        rows = [
            {
                "step": step,
                "language": key.language,
                "source": key.source,
                "topic": key.topic,
                "loss": m.loss,
                "tokens": m.tokens,
                "documents": len(m.losses),
                "error": standard_error(m.losses, m.lengths),
            }
            for key, m in measured.items()
        ]
        self.ledger.add("held_out", *rows)
        self.trackers.log(step, {f"held_out/{key}": m.per_token for key, m in measured.items()})

    def shares(self, step: int, rows: Iterable[Mapping[str, Any]], effective: Mapping[str, float]) -> None:
        """Tell a decision, given its rows and the share by which each stream is served from here on."""
        told = [{"step": step, "effective_share": effective[row["stream"]], **row} for row in rows]
        self.ledger.add("shares", *told)
        self.trackers.log(step, {f"shares/{row['stream']}": row["share"] for row in told})
