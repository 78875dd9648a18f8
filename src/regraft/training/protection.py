"""What the forgetting guard sees in a training, and what becomes of its verdict."""

import math
from collections.abc import Mapping, Sequence, Set

from regraft.core import ConfigError
from regraft.mixture.guard import ForgettingGuard, Rise, Verdict, group_share, with_group_share
from regraft.mixture.shares import Mixture, StreamKey
from regraft.training.validation import MIN_DOCUMENTS, Measured, standard_error

Losses = Mapping[str, tuple[float, ...]]


def rises(sources: Sequence[str], initial: Losses, measured: Mapping[StreamKey, Measured]) -> list[Rise]:
    """Return how far the held-out loss of each language of each source has risen above `initial`, topics together.

    Raises:
        ConfigError: of one of them there is too little held-out text to tell.
    """
    cells: dict[str, list[StreamKey]] = {}
    for key in measured:
        if key.source in sources:
            cells.setdefault(f"{key.language}/{key.source}", []).append(key)
    missing = set(sources) - {cell.partition("/")[2] for cell in cells}
    if missing:
        raise ConfigError(f"The guard protects {sorted(missing)}, of which no text is held out.")
    return [_rise(cell, initial, {key: measured[key] for key in keys}) for cell, keys in cells.items()]


def guarded(
    guard: ForgettingGuard,
    mixture: Mixture,
    shares: Mapping[StreamKey, float],
    ended: Set[StreamKey],
    seen: Sequence[Rise],
) -> tuple[Mapping[StreamKey, float], Verdict]:
    """Return the shares after the guard's verdict, and the verdict."""
    live = {key for key, share in shares.items() if share > 0} - ended
    replay = {key for key in live if (place := mixture.place(key)) and place[0].name == guard.replay}
    planned = math.fsum(group.share for group in mixture.groups if group.name == guard.replay)
    now = group_share(mixture, shares, guard.replay)
    verdict = guard.judge(seen, planned, now, live=bool(replay) and replay != live)
    if verdict.replay == now:
        return shares, verdict
    return with_group_share(mixture, shares, guard.replay, verdict.replay), verdict


def _rise(cell: str, initial: Losses, measured: Mapping[StreamKey, Measured]) -> Rise:
    risen = [a - b for key, m in measured.items() for a, b in zip(m.losses, initial[str(key)], strict=True)]
    lengths = [n for m in measured.values() for n in m.lengths]
    if len(risen) < MIN_DOCUMENTS:
        raise ConfigError(
            f"The guard protects {cell}, of which {len(risen)} documents are held out; {MIN_DOCUMENTS} are the least."
        )
    return Rise(name=cell, rise=math.fsum(risen) / sum(lengths), error=standard_error(risen, lengths))
