"""Rows on their way into the store: all that wait go into one transaction, off the event loop."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from regraft.lm.chat import ChatRequest
from regraft.lm.responses import Exchange, ResponseStore


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
        self._waiting: asyncio.Queue[_Entry] = asyncio.Queue()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Commit for as long as the block lasts."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

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
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(_Entry(committed=committed, sent=sent, exchange=exchange, settled=settled))
        await committed

    async def _run(self) -> None:
        while True:
            group = [await self._waiting.get()]
            while not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            try:
                await asyncio.to_thread(self._write, group)
            except Exception as error:  # a full disk, for example: whoever waits must hear of it
                for entry in _awaited(group):
                    entry.committed.set_exception(error)
            else:
                for entry in _awaited(group):
                    entry.committed.set_result(None)

    def _write(self, group: list[_Entry]) -> None:
        self._store.commit(
            sent=[entry.sent for entry in group if entry.sent],
            exchanges=[entry.exchange for entry in group if entry.exchange],
            settled=[entry.settled for entry in group if entry.settled],
        )


def _awaited(group: list[_Entry]) -> list[_Entry]:
    """Return those that somebody still waits for: who was cancelled does not."""
    return [entry for entry in group if not entry.committed.done()]
