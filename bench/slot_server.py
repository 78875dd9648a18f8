"""A server that stands for an inference engine: so many slots, one queue, lognormal service times drawn in order.

python -m bench.slot_server --ready FILE

It answers a request for a problem with a pair made of the request's own snippet, one for a judgement with good scores,
any other with a fixed text. `GET /stats` says what it saw. It ends after `--lifetime` seconds, or by a signal.
"""

import argparse
import asyncio
import heapq
import json
import math
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from bench.answers import answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """How many requests are served at once, and for how long each."""

    slots: int = 64
    mean: float = 1.0
    """Seconds; 0 answers at once."""
    sigma: float = 0.6
    seed: int = 0

    def draws(self) -> Iterator[float]:
        """Yield the service times, in the order in which requests get a slot."""
        random = Random(self.seed)
        while True:
            yield self.mean * math.exp(random.gauss(0, self.sigma) - self.sigma**2 / 2)

    def bound(self, first: int, followed: bool, late: float = 0.0, luck: int = 0) -> float:
        """Return the share of slots that a client keeps busy which loses no time at all.

        Args:
            first: requests that it has from the start.
            followed: whether each is followed by another once it is answered, which goes before those that wait.
            late: seconds that a request may come late, at most; of which request gets which draw, little decides.
            luck: seed of that.
        """
        draws, now, busy, random = self.draws(), 0.0, 0.0, Random(luck)
        left, following = first, 0
        running: list[tuple[float, bool]] = []
        while running or left or following:
            while len(running) < self.slots and (left or following):
                follows = following > 0
                left, following = (left, following - 1) if follows else (left - 1, following)
                seconds = next(draws)
                busy += seconds
                heapq.heappush(running, (now + random.uniform(0, late) + seconds, follows))
            now, follows = heapq.heappop(running)
            following += followed and not follows
        return busy / (self.slots * now)


@dataclass(slots=True)
class Stats:
    """What a server saw."""

    served: int = 0
    """Requests that were answered."""
    connections: int = 0
    peak: int = 0
    """Most requests in the house at once, waiting ones included."""
    busy: float = 0.0
    """Slot-seconds."""
    aborted: int = 0
    """Answers that nobody was there to receive."""
    tokens: int = 0
    """Charged for all answers, those included."""
    first: float = 0.0
    last: float = 0.0
    """Monotonic times of the first request and of the last answer."""


@dataclass
class House:
    """Slots, and who waits for one."""

    rule: Slots
    stats: Stats = field(default_factory=Stats)
    running: int = 0
    waiting: "deque[tuple[Guest, bytes]]" = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._draws = self.rule.draws()

    def enter(self, guest: "Guest", body: bytes) -> None:
        """Take a request."""
        self.stats.first = self.stats.first or time.monotonic()
        self.waiting.append((guest, body))
        self.stats.peak = max(self.stats.peak, self.running + len(self.waiting))
        self._serve()

    def _serve(self) -> None:
        while self.waiting and self.running < self.rule.slots:
            guest, body = self.waiting.popleft()
            seconds = next(self._draws) if self.rule.mean else 0.0
            self.running += 1
            self.stats.busy += seconds
            if seconds:
                asyncio.get_running_loop().call_later(seconds, self._end, guest, body)
            else:
                self._end(guest, body)

    def _end(self, guest: "Guest", body: bytes) -> None:
        self.running -= 1
        self.stats.served += 1
        self.stats.last = time.monotonic()
        said = answer(body)
        self.stats.tokens += json.loads(said)["usage"]["total_tokens"]
        self.stats.aborted += not guest.say(said)
        self._serve()

    def told(self) -> dict[str, object]:
        """Return the figures; `utilisation` is the share of the slots that was busy from first to last."""
        span = self.stats.last - self.stats.first
        share = self.stats.busy / (self.rule.slots * span) if span > 0 else 0.0
        return {**asdict(self.stats), "running": self.running, "span": span, "utilisation": share}


class Guest(asyncio.Protocol):
    """A connection, kept alive, one request after the other."""

    def __init__(self, house: House) -> None:
        self.house, self.buffer, self.leaves = house, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.counted = False

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            length = _length(head)
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            self.leaves = b"connection: close" in head
            self._heed(head, body)

    def _heed(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get /stats"):
            self.say(json.dumps(self.house.told()).encode())
        elif head.startswith(b"get "):  # a list of models, by which some clients see whether the server is there
            self.say(b'{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"bench"}]}')
        elif b'"messages":[]' in body.replace(b" ", b""):  # curator asks for nothing to see the headers
            self.say(answer(body))
        else:
            self.house.stats.connections += not self.counted
            self.counted = True
            self.house.enter(self, body)

    def say(self, body: bytes) -> bool:
        """Send a response; return whether anybody was there to receive it."""
        if self.transport.is_closing():
            return False
        kept = b"close" if self.leaves else b"keep-alive"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n"
        self.transport.write(head % (len(body), kept) + body)
        if self.leaves:
            self.transport.close()
        return True


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


async def serve(rule: Slots, ready: Path, lifetime: float) -> None:
    """Serve for so many seconds; write the port into a file once somebody listens."""
    house = House(rule)
    server = await asyncio.get_running_loop().create_server(lambda: Guest(house), "127.0.0.1", 0, backlog=4096)
    part = ready.with_suffix(".part")
    part.write_text(str(server.sockets[0].getsockname()[1]), "ascii")
    part.replace(ready)
    await asyncio.sleep(lifetime)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ready", type=Path, required=True, help="file for the port")
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--mean", type=float, default=1.0)
    parser.add_argument("--sigma", type=float, default=0.6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lifetime", type=float, default=900.0)
    given = parser.parse_args()
    rule = Slots(slots=given.slots, mean=given.mean, sigma=given.sigma, seed=given.seed)
    asyncio.run(serve(rule, given.ready, given.lifetime))


if __name__ == "__main__":
    main()
