"""The sampler at the size of the paper: 100 billion tokens in sequences of 4,096 or 8,192, sixty changes of shares.

taskset --cpu-list 0 python -m bench.sampler
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from random import Random

import numpy as np

from bench.results import Result, Table
from regraft.mixture.sampler import Sampler
from regraft.mixture.shares import Group, Mixture, Source, StreamKey

TOKENS = 100_000_000_000
CHANGES = 60
AT_ONCE = 4_096
"""Sequences asked for at once: a batch of 16 million tokens in sequences of 4,096."""
TOPICS = 11
CHINESE = {"web": 0.7, "encyclopedia": 0.05, "book": 0.2, "qa": 0.05}
ENGLISH = {"web": 0.4, "encyclopedia": 0.05, "book": 0.15, "qa": 0.05, "paper": 0.1, "math": 0.1, "code": 0.15}
"""Shares of the sources. Source: arXiv:2407.18743, release [C]."""
PARTS = {"zh/book": 4, "en/book": 3, "en/code": 4, "en/paper": 2}
"""Sources of which we make several streams, so that there are forty."""
CLAIM = (
    "24 million sequences over 22 topics and 40 streams with 60 changes of shares: every stream within one sequence of "
    "what its shares promised, at every sequence; under 10 microseconds a sequence."
)
RESUMED = 40
"""Positions at which a sampler restored from JSON has to go on with the same sequences."""


def mixture() -> tuple[Mixture, list[StreamKey]]:
    """Return the mixture of stage I and its streams: web pages by topic, other sources in one or a few parts."""
    groups: list[Group] = []
    keys: list[StreamKey] = []
    for language, share, sources in (("zh", 0.2, CHINESE), ("en", 0.8, ENGLISH)):
        held = tuple(Source(name=name, share=part, language=language) for name, part in sources.items())
        groups.append(Group(name=language, share=share, sources=held))
        for name in sources:
            parts = TOPICS if name == "web" else PARTS.get(f"{language}/{name}", 1)
            keys += [StreamKey(language, name, f"part {part:02}") for part in range(parts)]
    return Mixture(groups=tuple(groups)), keys


def changed(sampler: Sampler, random: Random) -> dict[StreamKey, float]:
    """Return other shares for the topics of web pages, each moved by a fifth at most before they are scaled."""
    shares = sampler.shares
    for language in ("zh", "en"):
        topics = [key for key in shares if (key.language, key.source) == (language, "web")]
        moved = {key: shares[key] * random.uniform(0.8, 1.2) for key in topics}
        whole = sum(shares[key] for key in topics) / sum(moved.values())
        shares |= {key: share * whole for key, share in moved.items()}
    return shares


def measured(length: int, seed: int) -> dict[str, object]:
    """Serve all sequences of one length; return the time of a sequence and how far streams and cells were away."""
    total = TOKENS // length
    used, keys = mixture()
    sampler = Sampler(used, dict.fromkeys(keys, total))
    random = Random(seed)
    changes = {*sorted(random.sample(range(AT_ONCE, total), CHANGES))}
    stops = sorted({*range(AT_ONCE, total, AT_ONCE), *changes, total})
    looked = {*random.sample(stops, RESUMED)}
    number = {key: i for i, key in enumerate(sampler.supply)}
    cells = [
        np.array([name(key) == cell for key in number], float) for name in (source, group) for cell in _names(name)
    ]
    ideal, served, order = np.zeros(len(keys)), np.zeros(len(keys)), blake2b(digest_size=8)
    seconds, at, stream, cell, resumed = 0.0, 0, 0.0, 0.0, 0
    for stop in stops:
        if at in looked:
            again = Sampler.restore(used, sampler.supply, json.loads(json.dumps(sampler.state())))
            resumed += again.next(stop - at) == Sampler.restore(used, sampler.supply, sampler.state()).next(stop - at)
        shares = np.array(list(sampler.effective_shares.values()))
        start = time.perf_counter()
        found = sampler.next(stop - at)
        seconds += time.perf_counter() - start
        rows = np.array([number[key] for key, _ in found])
        order.update(rows.astype(np.uint8).tobytes())
        counts = served + np.cumsum(rows[:, None] == np.arange(len(keys)), 0)
        credits = ideal + np.arange(1, stop - at + 1)[:, None] * shares - counts
        stream = max(stream, float(np.abs(credits).max()))
        cell = max(cell, *(float(np.abs(credits @ members).max()) for members in cells))
        ideal, served, at = ideal + (stop - at) * shares, counts[-1], stop
        if stop in changes:
            sampler.set_shares(changed(sampler, random))
    return {
        "tokens of a sequence": length,
        "sequences": f"{total:,}",
        "microseconds a sequence": seconds / total * 1e6,
        "stream, furthest": f"{stream:.4f}",
        "source or group, furthest": f"{cell:.4f}",
        "drift at the end": float(np.abs(ideal - served).max()),
        "resumed alike": f"{resumed} of {len(looked)}",
        "order": order.hexdigest(),
    }


def source(key: StreamKey) -> str:
    return f"{key.language}/{key.source}"


def group(key: StreamKey) -> str:
    return key.language


def _names(name: Callable[[StreamKey], str]) -> list[str]:
    return sorted({name(key) for key in mixture()[1]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("bench/results"))
    parser.add_argument("--lengths", type=int, nargs="+", default=[4096, 8192])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = [measured(length, given.seed) for length in given.lengths]
    _, keys = mixture()
    Result(
        name="sampler",
        claim=CLAIM,
        verdict=(
            f"Streams at most {max(str(row['stream, furthest']) for row in rows)} of a sequence away, "
            f"{max(float(str(row['microseconds a sequence'])) for row in rows):.1f} microseconds a sequence at most."
        ),
        corpus={"streams": len(keys), "topics": 2 * TOPICS, "tokens": f"{TOKENS:,}"},
        settings={"changes of shares": CHANGES, "seed": given.seed, "sequences at once": AT_ONCE},
        tables=[Table(title="Sequences", header=list(rows[0]), rows=[list(row.values()) for row in rows])],
        notes=("Distances are from the sum of all that the shares promised since the start, after every sequence.",),
        pythons=[Path(sys.executable)],
    ).write(given.results)


if __name__ == "__main__":
    main()
