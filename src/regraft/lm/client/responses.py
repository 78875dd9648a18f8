"""Every answer of an endpoint, as it came, in one SQLite file: stored before anything reads it, asked for only once.

The file is the ledger too: an answer and what it cost are one row, so that a resumed run counts nothing twice.
"""

import sqlite3
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from regraft.lm.client.chat import ChatRequest, Usage, parse_answer, parse_usage

_TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 8000;
CREATE TABLE IF NOT EXISTS exchanges (
    key TEXT NOT NULL, model TEXT NOT NULL, request BLOB NOT NULL, response BLOB NOT NULL, status INTEGER NOT NULL,
    failure TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, metered INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS answers ON exchanges (key) WHERE failure = '';
CREATE TABLE IF NOT EXISTS sent (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batched (
    batch TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL, request BLOB NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, PRIMARY KEY (batch, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (name TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
"""
BUSY_S = 30.0
"""For which a commit waits while another process writes to the file."""
LOST = "it was in flight when its process was killed"
"""Why an exchange is no answer that nobody was there to receive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request that was sent and what came back."""

    key: str
    model: str
    request: bytes
    """JSON body; empty for what a killed process had in flight."""
    response: bytes
    """Raw body; empty where none was read whole."""
    status: int
    """Of HTTP; 0 where no response was read."""
    failure: str
    """Why this is no answer; empty for an answer."""
    prompt_tokens: int
    completion_tokens: int
    metered: bool
    """Whether the endpoint told the tokens; where it did not, they are the upper bound of the request."""

    @property
    def usage(self) -> Usage:
        """The tokens, told or bounded."""
        return Usage(prompt_tokens=self.prompt_tokens, completion_tokens=self.completion_tokens)


def response_row(exchange: Exchange, response: str) -> dict[str, object]:
    """Return the row of `tables.RESPONSES` for an exchange, with this as its body."""
    return {
        "key": exchange.key,
        "model": exchange.model,
        "request": exchange.request.decode(),
        "response": response,
        "status": exchange.status,
        "prompt_tokens": exchange.prompt_tokens,
        "completion_tokens": exchange.completion_tokens,
    }


class ResponseStore:
    """Exchanges by the key of their request. At most one answer a key; failed exchanges that cost tokens stay too."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        self._database.executescript(_TABLES)

    def add(self, exchanges: Iterable[Exchange]) -> None:
        """Store exchanges in one transaction: after the call they survive a kill of this process."""
        self.commit(exchanges=exchanges)

    def commit(
        self,
        *,
        sent: Iterable[ChatRequest] = (),
        exchanges: Iterable[Exchange] = (),
        settled: Iterable[str] = (),
        batch: str = "",
        served: Iterable[str] = (),
    ) -> None:
        """Store exchanges, which requests were sent and which are settled by now, in one transaction.

        `served` are the keys of requests of `batch` that are with the provider no longer.
        """
        with self._transaction() as database:
            for request in sent:
                most = request.most
                row = (request.key, request.model, most.prompt_tokens, most.completion_tokens)
                database.execute("INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?)", row)
            for exchange in exchanges:
                database.execute("INSERT OR IGNORE INTO exchanges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(exchange))
            for key in settled:
                database.execute("DELETE FROM sent WHERE key = ?", (key,))
            for key in served:
                database.execute("DELETE FROM batched WHERE batch = ? AND key = ?", (batch, key))

    def charge_lost(self) -> None:
        """Count what a killed process had in flight at its most: whether it was paid for, nobody knows."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO exchanges SELECT key, model, x'', x'', 0, ?, prompt_tokens, completion_tokens, 0 "
                "FROM sent",
                (LOST,),
            )
            database.execute("DELETE FROM sent")

    def batches(self) -> dict[str, str]:
        """Return by name what the provider calls the batches that are with it; "" where that is not known."""
        query = "SELECT DISTINCT batch, COALESCE(id, '') FROM batched LEFT JOIN batches ON name = batch ORDER BY batch"
        return dict(self._database.execute(query).fetchall())

    def open_batch(self, name: str, requests: Iterable[ChatRequest]) -> None:
        """Note what a batch holds, before it is sent."""
        with self._transaction() as database:
            database.executemany(
                "INSERT OR REPLACE INTO batched VALUES (?, ?, ?, ?, ?, ?)",
                ((name, r.key, r.model, r.body(), r.most.prompt_tokens, r.most.completion_tokens) for r in requests),
            )

    def batch_sent(self, name: str, id_: str) -> None:
        """Note what the provider calls a batch."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO batches VALUES (?, ?)", (name, id_))

    def settle(self, name: str, results: Mapping[str, tuple[int, bytes]]) -> None:
        """Store what came of some requests of a batch, status and body by key; each is settled once.

        What has status 200 is an answer, or a failure that was paid for; anything else costs nothing.
        """
        query = "SELECT key, model, request, prompt_tokens, completion_tokens FROM batched WHERE batch = ? AND key = ?"
        found = (self._database.execute(query, (name, key)).fetchone() for key in results)
        rows = [row for row in found if row]
        exchanges = [_settled(row, results[row[0]][1]) for row in rows if results[row[0]][0] == 200]
        self.commit(exchanges=exchanges, batch=name, served=[row[0] for row in rows])

    def close_batch(self, name: str) -> None:
        """Note that a batch is no longer with the provider; what is not settled of it costs nothing."""
        with self._transaction() as database:
            database.execute("DELETE FROM batched WHERE batch = ?", (name,))
            database.execute("DELETE FROM batches WHERE name = ?", (name,))

    def answered(self) -> set[str]:
        """Return the keys that have an answer."""
        return {key for (key,) in self._database.execute("SELECT key FROM exchanges WHERE failure = ''")}

    def num_answers(self) -> int:
        """Return how many requests have an answer."""
        return int(self._database.execute("SELECT COUNT(*) FROM exchanges WHERE failure = ''").fetchone()[0])

    def find(self, key: str) -> Exchange | None:
        """Return the answer to a request, whoever bought it; None when there is none yet."""
        return self.find_own(key)

    def find_own(self, key: str) -> Exchange | None:
        """Return the answer to a request if it was bought by whom this store belongs to."""
        row = self._database.execute("SELECT * FROM exchanges WHERE failure = '' AND key = ?", (key,)).fetchone()
        return _exchange(row) if row else None

    def find_lent(self, key: str) -> Exchange | None:
        """Return the answer to a request that others have bought; here there is none."""
        return None

    def spent(self) -> Usage:
        """Return the tokens of everything stored, failed exchanges included."""
        query = "SELECT COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(completion_tokens), 0) FROM exchanges"
        prompt, completion = self._database.execute(query).fetchone()
        return Usage(prompt_tokens=prompt, completion_tokens=completion)

    def spent_tokens(self) -> int:
        """Return the tokens, prompts and answers together, of everything stored, failed exchanges included."""
        return self.spent().tokens

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> "ResponseStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _settled(row: tuple[str, str, bytes, int, int], body: bytes) -> Exchange:
    """Return the exchange of a request of a batch that was served."""
    key, model, request, prompt, completion = row
    answer, usage = parse_answer(body), parse_usage(body)
    charged = usage or Usage(prompt_tokens=prompt, completion_tokens=completion)
    return Exchange(
        key=key,
        model=model,
        request=request,
        response=body,
        status=200,
        failure=answer if isinstance(answer, str) else "",
        prompt_tokens=charged.prompt_tokens,
        completion_tokens=charged.completion_tokens,
        metered=usage is not None,
    )


def _row(exchange: Exchange) -> tuple[str, str, bytes, bytes, int, str, int, int, bool]:
    return (
        exchange.key,
        exchange.model,
        exchange.request,
        exchange.response,
        exchange.status,
        exchange.failure,
        exchange.prompt_tokens,
        exchange.completion_tokens,
        exchange.metered,
    )


def _exchange(row: tuple[str, str, bytes, bytes, int, str, int, int, int]) -> Exchange:
    key, model, request, response, status, failure, prompt, completion, metered = row
    return Exchange(
        key=key,
        model=model,
        request=request,
        response=response,
        status=status,
        failure=failure,
        prompt_tokens=prompt,
        completion_tokens=completion,
        metered=bool(metered),
    )
