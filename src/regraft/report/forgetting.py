"""What a forgetting guard watched while a model was trained and what it did, as one sentence."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.report.collect import Rows, rows
from regraft.report.words import number, percent

Settings = Mapping[str, Any]
"""A part of the configuration of a training, as its manifest has it."""
ROUNDING = 1e-9
"""By which a share may differ from itself."""


def guarded(training: Artifact) -> str:
    """Return the sentence on the guard of a training; empty where there was none."""
    config = training.manifest.config
    if not config.get("guard"):
        return ""
    shares = rows(training, tables.SHARES_FILE, tables.SHARES, ["step", "stream", "share"])
    return told(
        config["guard"],
        config["mixture"],
        shares,
        rows(training, tables.HELD_OUT_FILE, tables.HELD_OUT),
        rows(training, tables.EVENTS_FILE, tables.EVENTS),
    )


def told(guard: Settings, mixture: Settings, shares: Rows, held_out: Rows, events: Rows) -> str:
    """Return what the guard watched, what it did, and the largest rise at a decision."""
    decided = {row["step"] for row in shares} - {0}
    risen = _rises((row for row in held_out if row["source"] in guard["protected"]), decided)
    if not risen:
        return ""
    rise, step, cell = max((rise, step, cell) for (step, cell), rise in risen.items())
    did = _did(guard, mixture, shares, events)
    noise = ", within noise" if not did and rise > guard["limit"] else ""
    saw = f"the largest rise was {number(rise, 4)} ({cell}, after step {step:,}{noise})"
    return (
        f"A forgetting guard watched {' and '.join(sorted({cell for _, cell in risen}))}, with a limit of "
        f"{guard['limit']:g} nats a token above the start: {' and '.join(did) or 'it had no cause to act'}; of "
        f"{len(decided)} decision{'s' * (len(decided) > 1)}, {saw if rise > 0 else 'none saw a rise'}."
    )


def _rises(protected: Iterable[Mapping[str, Any]], decided: set[int]) -> dict[tuple[int, str], float]:
    """Return by step and `language/source` how far the loss was above the start, in nats a token, topics together."""
    loss, tokens = (defaultdict[tuple[int, str], float](float) for _ in range(2))
    for row in protected:
        place = row["step"], f"{row['language']}/{row['source']}"
        loss[place] += row["loss"]
        tokens[place] += row["tokens"]
    return {(s, cell): (x - loss[0, cell]) / tokens[s, cell] for (s, cell), x in list(loss.items()) if s in decided}


def _did(guard: Settings, mixture: Settings, shares: Rows, events: Rows) -> list[str]:
    """Return what the guard did, in words; nothing where it kept still."""
    said = [event for event in events if event["what"] in ("guarded", "stopped") and not event["stream"]]
    stopped = [f"it stopped the training after step {e['step']:,}" for e in said if e["what"] == "stopped"]
    group = next((group for group in mixture["groups"] if group["name"] == guard["replay"]), None)
    replay = _shares_of(group, shares) if group else [0.0]
    if max(replay) > replay[0] + ROUNDING:
        return [f"it raised {guard['replay']} from {percent(replay[0])} to {percent(max(replay))} at most", *stopped]
    return stopped or ["it found cause to act and could not raise replay"] * bool(said)


def _shares_of(group: Settings, shares: Rows) -> list[float]:
    """Return the share of a group of the mixture at the start and after each decision."""
    sources = {(source["language"], source["name"]) for source in group["sources"]}
    found = defaultdict[int, list[float]](list)
    for row in shares:
        language, source, _ = row["stream"].split("/", 2)
        found[row["step"]].append(row["share"] if sources & {(language, source), ("", source)} else 0.0)
    return [math.fsum(found[step]) for step in sorted(found)]
