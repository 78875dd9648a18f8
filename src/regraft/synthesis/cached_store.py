"""Answers in two files at once: the ledger of the step that buys them, and the cache, which every later step reads."""

import logging
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from regraft.lm.client.chat import ChatRequest
from regraft.lm.client.responses import Exchange, ResponseStore

GROUP = 500
"""Answers that are copied in one transaction, so that others who use the cache wait for a moment only."""
_LOG = logging.getLogger(__name__)


class CachedStore(ResponseStore):
    """What a step bought, and what any step before it bought of the same models."""

    def __init__(self, path: Path, cache: Path) -> None:
        """Open both; what a killed run of the step bought last may not be in the cache yet."""
        super().__init__(path)
        cache.parent.mkdir(parents=True, exist_ok=True)
        self._cache = ResponseStore(cache)
        self._late: list[Exchange] = []
        missing = sorted(self.answered() - self._cache.answered())
        for keys in _groups(missing):
            self._fill_cache([found for key in keys if (found := self.find_own(key))])

    def find(self, key: str) -> Exchange | None:
        """Return the answer to a request, whoever bought it; None when nobody did."""
        return self.find_own(key) or self.find_lent(key)

    def find_lent(self, key: str) -> Exchange | None:
        """Return the answer to a request that another step bought; one of this step's is there too."""
        return self._cache.find(key)

    def commit(
        self,
        *,
        sent: Iterable[ChatRequest] = (),
        exchanges: Iterable[Exchange] = (),
        settled: Iterable[str] = (),
        batch: str = "",
        served: Iterable[str] = (),
    ) -> None:
        """Store exchanges in the ledger, then the answers among them in the cache; between the two no time passes."""
        bought = list(exchanges)
        super().commit(sent=sent, exchanges=bought, settled=settled, batch=batch, served=served)
        if answers := [exchange for exchange in bought if not exchange.failure]:
            self._fill_cache(answers)

    def _fill_cache(self, answers: Iterable[Exchange]) -> None:
        """Put answers into the cache; the ledger has them already, so a cache that is locked can wait."""
        self._late += answers
        try:
            self._cache.add(self._late)
        except sqlite3.OperationalError as error:
            _LOG.warning("answers are stored, but not yet in the cache for other steps: %s", error)
        else:
            self._late = []

    def close(self) -> None:
        super().close()
        if self._late:
            self._fill_cache(())
        self._cache.close()


def _groups(keys: list[str]) -> Iterator[list[str]]:
    return (keys[start : start + GROUP] for start in range(0, len(keys), GROUP))
