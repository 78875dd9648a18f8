"""Rows on their way into the store: all that come within a moment go into one transaction.

The transaction is made on the event loop: without waiting for the disk, as a write-ahead log has it, it takes a fifth
of a millisecond, less than handing it to a thread and back.
"""

import asyncio
from dataclasses import dataclass

from regraft.lm.client.chat import ChatRequest
from regraft.lm.client.responses import Exchange, ResponseStore

MOMENT_S = 0.002
"""For which the first row of a group waits. An answer takes a hundred times as long. Not in the paper."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Entry:
    """What is to be committed for a request."""

    committed: asyncio.Future[None]
    sent: ChatRequest | None = None
    exchange: Exchange | None = None
    settled: str = ""
    """Key of a request that is no longer in flight."""


class Saver:
    """Commits what it is given; every call returns when its row is safe from a kill."""

    def __init__(self, store: ResponseStore) -> None:
        self._store = store
        self._waiting: list[_Entry] = []

    async def sent(self, request: ChatRequest) -> None:
        """Note that a request is about to be sent, so that what a kill leaves in flight is known to have been."""
        await self._commit(sent=request)

    async def answer(self, exchange: Exchange) -> None:
        """Store an answer, and that its request is no longer in flight."""
        await self._commit(exchange=exchange, settled=exchange.key)

    async def failure(self, exchange: Exchange) -> None:
        """Store what is no answer and may have cost tokens; another attempt may follow."""
        await self._commit(exchange=exchange)

    async def given_up(self, request: ChatRequest) -> None:
        """Note that a request is no longer in flight."""
        await self._commit(settled=request.key)

    async def _commit(
        self, *, sent: ChatRequest | None = None, exchange: Exchange | None = None, settled: str = ""
    ) -> None:
        loop = asyncio.get_running_loop()
        committed: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            loop.call_later(MOMENT_S, self._write)
        self._waiting.append(_Entry(committed=committed, sent=sent, exchange=exchange, settled=settled))
        await committed

    def _write(self) -> None:
        group, self._waiting = self._waiting, []
        try:
            self._store.commit(
                sent=[entry.sent for entry in group if entry.sent],
                exchanges=[entry.exchange for entry in group if entry.exchange],
                settled=[entry.settled for entry in group if entry.settled],
            )
        except Exception as error:  # a full disk, for example: whoever waits must hear of it
            for entry in _awaited(group):
                entry.committed.set_exception(error)
        else:
            for entry in _awaited(group):
                entry.committed.set_result(None)


def _awaited(group: list[_Entry]) -> list[_Entry]:
    """Return those that somebody still waits for: who was cancelled does not."""
    return [entry for entry in group if not entry.committed.done()]
