"""Pieces of work done by worker processes, and what becomes of a piece whose worker died.

The pieces that were begun when a worker died are done again one at a time, and the others go on together.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from regraft.core import Context, RegraftError
from regraft.corpus.engine import WorkerDied, run_tasks
from regraft.corpus.work import PIECES_PER_WORKER, Lifeline, Pieces, new_token

DEATHS = 3
"""Places of one piece at which workers may die once each. After that it is not the documents that end them."""


def do_together(pieces: Pieces, items: Mapping[str, Any], ctx: Context) -> Iterator[str]:
    """Do the items, as many at once as there are workers, and yield the name of each that is done."""
    waiting = list(items)
    while waiting:
        tokens = {name: new_token() for name in waiting[: PIECES_PER_WORKER * ctx.execution.workers]}
        told: set[str] = set()
        try:
            for name in run_tasks(
                pieces, {name: (token, items[name]) for name, token in tokens.items()}, ctx.execution
            ):
                told.add(name)
                yield name
        except WorkerDied as death:
            begun = [name for name, token in tokens.items() if pieces.part(name, token).exists()]
            if not begun and not any(map(pieces.is_done, tokens)):
                raise
            ctx.log.warning("%s Doing the pieces that were begun one at a time.", death)
            for name in begun:
                _do_alone(pieces, name, items[name], ctx)
        done = {name for name in tokens if pieces.is_done(name)}
        yield from done - told
        waiting = [name for name in waiting if name not in done]


def _do_alone(pieces: Pieces, name: str, item: Any, ctx: Context) -> None:
    """Do one item in a worker of its own, passing over the places at which workers die twice."""
    places: list[int] = []
    while not pieces.is_done(name):
        token = new_token()
        try:
            list(run_tasks(pieces, {name: (token, item)}, ctx.execution))
        except WorkerDied as death:
            lifeline = Lifeline(pieces.part(name, token))
            place = lifeline.last()
            if place is None or place in lifeline.deadly or len(places) == DEATHS:
                where = f"first at the documents {places}, then at {place}" if places else "and cannot say where"
                raise RegraftError(
                    f"{name}: a worker process died on it {where} ({death}). Was memory short? "
                    "Run again with fewer --workers; what is done so far is kept."
                ) from death
            if place in places:
                lifeline.pass_over(place)
                ctx.log.warning("%s: passing over document %d, on which workers die.", name, place)
                places = []
            else:
                places.append(place)
