"""Which stream serves the next sequence: a pure function of shares and counters, with no randomness.

Every rank derives the same order without communication, to resume is to restore the counters, and shares may change
between any two sequences. What a stream is owed when shares change is carried on, so nothing drifts. `turns` has the
rule by which the next stream is chosen.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from regraft.core import ConfigError, RegraftError
from regraft.mixture.shares import TOLERANCE, Mixture, StreamKey, initial_shares
from regraft.mixture.turns import Turns

SUM = 3 * TOLERANCE
"""By which shares may miss 1: those of groups and those of sources may each miss it by `TOLERANCE`."""


class MixtureExhausted(RegraftError):
    """The mixture serves no more sequences: a stream ended under `stop`, or all have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """What happened when a stream came to its end."""

    sequence: int
    """Sequences served by all streams before it happened."""
    stream: str
    what: str
    """`repeats`: it starts again. `ended`: it serves no more."""
    detail: str


class Sampler:
    """Serves sequences of the streams by their shares."""

    def __init__(
        self, mixture: Mixture, supply: Mapping[StreamKey, int], shares: Mapping[StreamKey, float] | None = None
    ) -> None:
        """Start with nothing served.

        Args:
            mixture: the sources and what to do when a stream ends.
            supply: sequences of each stream.
            shares: of the streams; by default `initial_shares(mixture, supply)`.
        """
        initial = initial_shares(mixture, supply)
        self.mixture = mixture
        self.supply = {key: supply[key] for key in initial}
        self.events: list[Exhaustion] = []
        self._places = {key: _place(mixture, key) for key in initial}
        self._capacity = {key: mixture.capacity(key, supply[key]) for key in initial}
        self._earlier = dict.fromkeys(initial, 0)  # served before the shares last changed
        self._owed = dict.fromkeys(initial, 0.0)  # when they did
        self._ended: frozenset[StreamKey] = frozenset()
        self._live: list[StreamKey] = []
        self._turns = Turns((), (), ())
        self.set_shares(initial if shares is None else shares)

    @property
    def shares(self) -> dict[StreamKey, float]:
        """The shares as they were set."""
        return dict(self._shares)

    @property
    def effective_shares(self) -> dict[StreamKey, float]:
        """The shares that streams are served by: those of ended streams have passed to others."""
        return dict(self._effective)

    @property
    def ended(self) -> frozenset[StreamKey]:
        """Streams that serve no more."""
        return self._ended

    @property
    def served(self) -> dict[StreamKey, int]:
        """Sequences that each stream served."""
        return self._earlier | {key: self._earlier[key] + n for key, n in self._since().items()}

    @property
    def credits(self) -> dict[StreamKey, float]:
        """Sequences that each stream is owed; they sum to 0."""
        return dict.fromkeys(self.supply, 0.0) | dict(zip(self._live, self._turns.credits, strict=True))

    @property
    def count(self) -> int:
        """Sequences served by all streams."""
        return sum(self._earlier.values()) + self._turns.taken

    def set_shares(self, shares: Mapping[StreamKey, float]) -> None:
        """Serve by other shares from the next sequence on; what streams are owed so far is kept.

        Raises:
            ConfigError: not one share for each stream, or they do not sum to 1.
        """
        if set(shares) != set(self.supply):
            raise ConfigError(f"Shares are given for {len(shares)} streams, not for the {len(self.supply)} there are.")
        if not (min(shares.values()) >= 0 and abs(sum(shares.values()) - 1) <= SUM):
            raise ConfigError(f"Shares must be positive and sum to 1; they sum to {sum(shares.values())!r}.")
        self._shares = {key: float(shares[key]) for key in self.supply}
        for key in self.supply:
            if self._shares[key] > 0 and not self._capacity[key]:
                self._end(key)
        self._begin()

    def next(self, count: int) -> list[tuple[StreamKey, int]]:
        """Return the stream and the index in it of each of the next `count` sequences.

        Raises:
            MixtureExhausted: fewer are left; nothing has been served then, and `count` may be tried smaller.
        """
        earlier, owed, ended, events, since = self._earlier, self._owed, self._ended, len(self.events), self._since()
        try:
            return [self._serve() for _ in range(count)]
        except MixtureExhausted:
            self._earlier, self._owed, self._ended = earlier, owed, ended
            del self.events[events:]
            self._take_turns(since)
            raise

    def state(self) -> dict[str, Any]:
        """Return all counters as plain JSON data."""
        return {
            "earlier": {str(key): n for key, n in self._earlier.items()},
            "since": {str(key): n for key, n in self._since().items()},
            "owed": {str(key): credit for key, credit in self._owed.items()},
            "shares": {str(key): share for key, share in self._shares.items()},
            "ended": sorted(str(key) for key in self._ended),
            "events": [asdict(event) for event in self.events],
        }

    @classmethod
    def restore(cls, mixture: Mixture, supply: Mapping[StreamKey, int], state: Mapping[str, Any]) -> "Sampler":
        """Return a sampler that goes on where `state` was taken.

        Raises:
            ConfigError: the state is of other streams.
        """
        sampler = cls(mixture, supply)
        if sorted(state["earlier"]) != sorted(map(str, sampler.supply)):
            raise ConfigError(f"The state has the streams {sorted(state['earlier'])}, not {list(sampler.supply)}.")
        sampler._load(state)
        return sampler

    def _load(self, state: Mapping[str, Any]) -> None:
        self._earlier = {key: state["earlier"][str(key)] for key in self.supply}
        self._owed = {key: state["owed"][str(key)] for key in self.supply}
        self._shares = {key: state["shares"][str(key)] for key in self.supply}
        self._ended = frozenset(key for key in self.supply if str(key) in state["ended"])
        self.events = [Exhaustion(**event) for event in state["events"]]
        self._take_turns({key: state["since"].get(str(key), 0) for key in self.supply})

    def _since(self) -> dict[StreamKey, int]:
        """Return what each live stream served since shares or ends last changed."""
        return dict(zip(self._live, self._turns.served, strict=False))  # cells of several streams follow there

    def _serve(self) -> tuple[StreamKey, int]:
        if not self._live:
            raise MixtureExhausted(f"All streams ended after {self.count:,} sequences. Add documents or train less.")
        turn = self._turns.take()
        key = self._live[turn]
        if key in self._ended:
            self._raise_stop(key)
        index = self._earlier[key] + self._turns.served[turn] - 1
        self._note_end(key, index + 1)
        return key, index % self.supply[key]

    def _raise_stop(self, key: StreamKey) -> None:
        raise MixtureExhausted(
            f"The stream {key} has ended after {self._capacity[key]:,} sequences of its own, "
            f"{self.count - 1:,} in all, and the mixture says exhausted='stop'. Add documents, lower its share or let "
            "it repeat."
        )

    def _note_end(self, key: StreamKey, served: int) -> None:
        if served == self._capacity[key]:
            self._end(key)
            self._begin()
        elif served % self.supply[key] == 0:
            self.events.append(self._event(key, "repeats", f"epoch {served // self.supply[key] + 1} begins"))

    def _end(self, key: StreamKey) -> None:
        if key in self._ended:
            return
        self._ended |= {key}
        heirs = self._heirs(key)
        to = "its share passes to " + ", ".join(map(str, heirs)) if heirs else "nothing takes its place"
        if self.mixture.exhausted == "stop":
            to = "nothing is served once it is its turn again"
        self.events.append(self._event(key, "ended", to))

    def _event(self, key: StreamKey, what: str, detail: str) -> Exhaustion:
        return Exhaustion(sequence=self.count, stream=str(key), what=what, detail=detail)

    def _begin(self) -> None:
        """Begin with the shares and ends that are now, owing to each stream what it is owed."""
        self._owed, self._earlier = self.credits, self.served
        shares = self._pass_shares()
        for key in [key for key, credit in self._owed.items() if credit and not shares[key]]:
            credit, self._owed[key] = self._owed[key], 0.0
            for heir, part in self._heirs(key).items():
                self._owed[heir] += credit * part
        self._take_turns({})

    def _take_turns(self, since: Mapping[StreamKey, int]) -> None:
        self._effective = self._pass_shares()
        self._live = [key for key, share in self._effective.items() if share > 0]
        self._turns = Turns(
            [self._effective[key] for key in self._live],
            [self._owed[key] for key in self._live],
            [self._places[key] for key in self._live],
            [since.get(key, 0) for key in self._live],
        )

    def _pass_shares(self) -> dict[StreamKey, float]:
        effective = dict.fromkeys(self.supply, 0.0)
        for key, share in self._shares.items():
            passes = key in self._ended and self.mixture.exhausted != "stop"
            for heir, part in self._heirs(key).items() if passes else [(key, 1.0)]:
                effective[heir] += share * part
        return effective

    def _heirs(self, key: StreamKey) -> dict[StreamKey, float]:
        """Return who takes the place of a stream, and to what part: its source, else its group, else all others."""
        live = [k for k in self.supply if self._shares[k] > 0 and k not in self._ended and k != key]
        place = {k: self.mixture.place(k) for k in [key, *live]}
        group, source = place[key] or (None, None)
        circles = (
            [k for k in live if place[k] == (group, source) and k.language == key.language],
            [k for k in live if place[k] == (group, source)],
            [k for k in live if (place[k] or (None,))[0] == group],
            live,
        )
        heirs = next((circle for circle in circles if circle), [])
        whole = sum(self._shares[k] for k in heirs)
        return {k: self._shares[k] / whole for k in heirs}


def _place(mixture: Mixture, key: StreamKey) -> tuple[str, str]:
    """Return the names of the group and of the source in it that a stream belongs to."""
    found = mixture.place(key)
    return (found[0].name, f"{found[1].language}/{found[1].name}") if found else ("", "")
