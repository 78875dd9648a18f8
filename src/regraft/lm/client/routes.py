"""Which of several servers of one model a request goes to."""

import time
from collections.abc import Sequence

FAILURES = 3
"""On end, after which a server is left alone for a while, if there are others. Not in the paper."""
MAX_REST_S = 60.0


class Routes:
    """Servers, each with its requests in flight."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._in_flight = dict.fromkeys(urls, 0)
        self._failures = dict.fromkeys(urls, 0)
        self._rests_until = dict.fromkeys(urls, 0.0)

    def take(self) -> str:
        """Return the server with the fewest requests in flight; one that rests only if all do."""
        now = time.monotonic()
        awake = [url for url, until in self._rests_until.items() if until <= now]
        url = min(awake or self._in_flight, key=self._in_flight.__getitem__)
        self._in_flight[url] += 1
        return url

    def give(self, url: str, works: bool) -> None:
        """Count a request as ended; `works` says whether the server answered, if only to refuse it."""
        self._in_flight[url] -= 1
        self._failures[url] = 0 if works else self._failures[url] + 1
        if (excess := self._failures[url] - FAILURES) >= 0:
            self._rests_until[url] = time.monotonic() + min(MAX_REST_S, 2.0**excess)
