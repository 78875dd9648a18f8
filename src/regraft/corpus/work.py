"""Work in pieces, each done whole by one worker process and committed by a rename: a kill loses the pieces at hand.

The engine hands the pieces to its workers, on this machine or on a Ray cluster whose machines share the folder of the
store. What a piece makes depends on the piece alone, so neither the engine nor the number of workers shows in it.

A worker that dies (a crash inside a library, out of memory, beyond its processor time) takes its piece with it. The
pieces that were begun are then done again one at a time, and the others go on together. A piece that says where it is
(`Lifeline`) and dies twice at the same place is told to pass over that place.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from regraft.core import Context
from regraft.corpus.members import link_members

SERIAL = 2000
"""Documents below which starting worker processes costs more than it saves."""
PIECES_PER_WORKER = 32
"""After which worker processes are replaced, since libraries grow with every text that they see."""

DONE = "done.json"
"""In the folder of a piece: what the work returned."""

Counts = Mapping[str, Any]


class Work(Protocol):
    """What is done to one piece. It is sent to worker processes, so it must be picklable, and it keeps no state."""

    def __call__(self, item: Any, out: Path) -> Counts:
        """Write what the piece makes into the empty folder `out` and return its figures, as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """A committed piece."""

    folder: Path
    counts: Counts


def each(
    work: Work,
    items: Mapping[str, Any],
    ctx: Context,
    label: str,
    unit: str = "shards",
    num_documents: int = SERIAL,
    isolated: bool = False,
) -> dict[str, Done]:
    """Do `work` on every named item, below `ctx.scratch / label`, and return what came of each, in the given order.

    Items that an earlier run has committed are not done again. A single item, or few documents in all, are done in
    this process, unless they are to be `isolated` because they may crash or hang on hostile input, or an earlier run
    was killed at them.

    Raises:
        Exception: what `work` raised.
        RegraftError: a worker died on an item that cannot say where, or at one place after another.
    """
    pieces = Pieces(work, ctx.scratch / label)
    pieces.root.mkdir(parents=True, exist_ok=True)
    missing = [name for name in items if not pieces.is_done(name)]
    fresh = set(missing) - pieces.begun()
    few = num_documents < SERIAL and len(items) <= PIECES_PER_WORKER
    here = fresh if not isolated and (few or min(len(fresh), ctx.execution.workers) <= 1) else set[str]()
    away = {name: items[name] for name in missing if name not in here}
    near = {name: items[name] for name in missing if name in here}
    with ctx.track(label, len(items), unit, done=len(items) - len(missing)) as ticker:
        for _ in chain(_do_away(pieces, away, ctx), _do_here(pieces, near)):
            ticker.advance()
    return {name: pieces.done(name) for name in items}


def gather(done: Mapping[str, Done], out: Path) -> None:
    """Put the files of all pieces into `out`, without copying them where the file system can link.

    Raises:
        FileExistsError: two pieces hold a file of one name.
    """
    for piece in done.values():
        paths = (path for path in sorted(piece.folder.rglob("*")) if path.is_file() and path != piece.folder / DONE)
        link_members((path.relative_to(piece.folder).as_posix() for path in paths), piece.folder, out)


def name_of(out: Path) -> str:
    """Return the name of the item that is worked on in the folder `out`."""
    return out.name.partition(".")[0]


class Lifeline:
    """Where in its piece a worker is, for whoever finds it dead."""

    def __init__(self, out: Path) -> None:
        self._at, self._skip = out.with_suffix(".at"), out.with_name(f"{name_of(out)}.skip")
        self._file = -1

    def say(self, place: int) -> None:
        """Note the place that is worked on now; takes a microsecond."""
        if self._file < 0:
            self._file = os.open(self._at, os.O_WRONLY | os.O_CREAT)
        os.pwrite(self._file, place.to_bytes(8, "little"), 0)

    def cut(self) -> None:
        """Stop noting: the piece is done."""
        if self._file >= 0:
            os.close(self._file)
        self._at.unlink(missing_ok=True)

    @property
    def deadly(self) -> frozenset[int]:
        """Places at which workers died."""
        return frozenset(json.loads(self._skip.read_text("utf-8")) if self._skip.exists() else ())

    def last(self) -> int | None:
        """Return the place at which the worker was last, None when it never said."""
        return int.from_bytes(self._at.read_bytes(), "little") if self._at.exists() else None

    def pass_over(self, place: int) -> None:
        """Let the next worker know that one died there."""
        part = self._skip.with_suffix(".skipped")
        part.write_text(json.dumps(sorted(self.deadly | {place})), "utf-8")
        part.replace(self._skip)


@dataclass(frozen=True, slots=True)
class Pieces:
    """How a piece is committed: its folder, figures included, gets its name by one rename.

    Each attempt has a folder of its own, since the worker of a killed run may still be at it: whichever is done first
    counts, and both make the same.
    """

    work: Work
    root: Path

    def __call__(self, name: str, attempt: tuple[str, Any]) -> None:
        token, item = attempt
        part = self.part(name, token)
        part.mkdir()
        counts = self.work(item, part)
        (part / DONE).write_text(json.dumps(counts), "utf-8")
        try:
            part.rename(self.root / name)
        except OSError:
            if not self.is_done(name):
                raise

    def part(self, name: str, token: str) -> Path:
        return self.root / f"{name}.{token}.part"

    def begun(self) -> set[str]:
        """Return the names of the pieces that were ever begun."""
        return {name_of(path) for path in self.root.glob("*.part")}

    def is_done(self, name: str) -> bool:
        return (self.root / name / DONE).exists()

    def done(self, name: str) -> Done:
        return Done(self.root / name, json.loads((self.root / name / DONE).read_text("utf-8")))


def _do_here(pieces: Pieces, items: Mapping[str, Any]) -> Iterator[str]:
    """Do the items in this process and yield the name of each that is done."""
    for name, item in items.items():
        pieces(name, (new_token(), item))
        yield name


def _do_away(pieces: Pieces, items: Mapping[str, Any], ctx: Context) -> Iterator[str]:
    """Do the items in worker processes and yield the name of each that is done."""
    if items:
        from regraft.corpus.together import do_together  # starts the engine, which small work does without

        yield from do_together(pieces, items, ctx)


def new_token() -> str:
    """Return what tells one attempt from another."""
    return secrets.token_hex(4)
