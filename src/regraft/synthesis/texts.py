"""The folder of a stage whose texts a model wrote: documents, rejects, responses, verdicts and figures."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from regraft.core import TIMING, Metrics
from regraft.corpus import tables
from regraft.corpus.document import Document, Reject
from regraft.corpus.rows import CorpusWriter, RowWriter
from regraft.lm.client.chat import ChatRequest, stable_body
from regraft.lm.client.limits import Outcome
from regraft.lm.client.responses import Exchange, ResponseStore, response_row
from regraft.synthesis.verdicts import Round, Verdicts


class TextWriter:
    """Writes what became of the texts that were asked for, in the order in which it is told, and counts.

    The id of a reject is the key of its request, whose answer `responses.parquet` holds where there is one.
    """

    def __init__(
        self, out: Path, stage: str, source: str, store: ResponseStore, outcomes: Mapping[str, Outcome]
    ) -> None:
        """Write into `out`; `outcomes` say what became of requests that have no answer."""
        self.source, self.store, self._outcomes = source, store, outcomes
        self._corpus = CorpusWriter(out, stage)
        self._responses = RowWriter(tables.Writer(out / tables.RESPONSES_FILE, tables.RESPONSES))
        self._raw = RowWriter(tables.Writer(out / TIMING / tables.RESPONSES_FILE, tables.RESPONSES))
        self._counts, self._verdicts, self._out = Counter[str](), Verdicts(), out

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._corpus.__exit__(kind, error, trace)
        self._responses.close()
        self._raw.close()
        rows = tables.table_of(self._verdicts.rows(), tables.VERDICTS)
        tables.write(self._out / tables.VERDICTS_FILE, rows, tables.VERDICTS)

    def begin(self) -> None:
        """Count a text that was to be written."""
        self._counts["texts"] += 1

    def answer(self, request: ChatRequest) -> Exchange | None:
        """Return the answer to a request, once it is written to `responses.parquet`; None where there is none.

        An answer that others bought is none where the budget left the request out.
        """
        exchange = None if request.key in self._outcomes else self.store.find(request.key)
        self._counts["requests"] += 1
        if exchange is not None:
            self._counts.update(
                answers=1,
                prompt=exchange.prompt_tokens,
                completion=exchange.completion_tokens,
                unmetered=not exchange.metered,
            )
            self._responses.add(response_row(exchange, stable_body(exchange.response)))
            self._raw.add(response_row(exchange, exchange.response.decode("utf-8", "replace")))
        return exchange

    def judged(self, round_: Round, rejects: Sequence[Reject]) -> tuple[Reject, ...]:
        """Count what a round of checks said of a text, and return it."""
        self._verdicts.add(round_, rejects)
        return tuple(rejects)

    def keep(self, document: Document) -> None:
        """Write a text that passed every check."""
        self._corpus.keep(document)

    def reject(self, request: ChatRequest, parent: str, reject: Reject, text: str = "") -> None:
        """Note why a request about a document brought nothing."""
        told = Reject(reject.reason, f"{reject.detail} (document {parent})")
        self._corpus.reject(request.key, self.source, told, text)

    def reject_document(self, document: Document, reject: Reject) -> None:
        """Note why nothing could be asked about a document."""
        self._corpus.reject(document.id, document.source, reject, document.text)

    def warn(self, log: logging.Logger, wanted: int) -> None:
        """Say aloud that there was less to write from than was wanted, and that nothing passed."""
        counts = self._counts
        if counts["texts"] < wanted:
            log.warning("the documents were enough for %d of %d texts", counts["texts"], wanted)
        if not self._corpus.tally["documents"]:
            log.warning("NOT ONE of %d texts passed the checks; see the rejects", counts["texts"])

    def metrics(self, wanted: int, cost: float | None) -> Metrics:
        """Return the figures of a stage that was to write `wanted` texts, for so much money (None: not known)."""
        tally, counts = self._corpus.tally, self._counts
        return {
            "texts_short": wanted - counts["texts"],
            "requests": counts["requests"],
            "answers": counts["answers"],
            "documents": tally["documents"],
            "rejected": tally["rejected"],
            **{what: count for what, count in sorted(tally.items()) if what.startswith("rejected.")},
            "bytes": tally["bytes"],
            "prompt_tokens": counts["prompt"],  # of the answers
            "completion_tokens": counts["completion"],
            "tokens_estimated_for": counts["unmetered"],
            "spent_tokens": self.store.spent_tokens(),  # failed attempts included
            "cost": cost,
        }


def not_stored(outcome: Outcome | None) -> Reject:
    """Return why a request has no answer; None for one that was not reached before the asking ended."""
    if outcome is None:
        return Reject("not_sent", "the asking had ended")
    reason = outcome.ending if outcome.ending in ("refused", "failed") else "not_sent"
    return Reject(reason, f"{outcome.ending}: {outcome.reason}")
