"""From stored answers to a corpus: documents, rejects and responses in the order of the tasks. Asks for nothing."""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from regraft.core import TIMING, Metrics
from regraft.corpus import tables
from regraft.corpus.document import Document, Reject, document_id, meta_json
from regraft.corpus.rows import CorpusWriter, RowWriter
from regraft.lm.chat import ChatRequest, stable_body
from regraft.lm.limits import Outcome
from regraft.lm.responses import Exchange, ResponseStore, response_row
from regraft.synthesis.halves import START
from regraft.synthesis.judge import Judgement, read_judgement
from regraft.synthesis.measures import Seen
from regraft.synthesis.pairs import Pair
from regraft.synthesis.tasks import Checks, Task, Written, judgement_of, read_text
from regraft.synthesis.verdicts import Verdicts


class TextWriter:
    """Writes what became of each task into the folder of a stage, and counts.

    The id of a reject is the key of its request, whose answer `responses.parquet` holds where there is one.
    """

    def __init__(self, out: Path, stage: str, source: str, checks: Checks, store: ResponseStore) -> None:
        self.source, self.checks, self.store = source, checks, store
        self._corpus = CorpusWriter(out, stage)
        self._responses = RowWriter(tables.Writer(out / tables.RESPONSES_FILE, tables.RESPONSES))
        self._raw = RowWriter(tables.Writer(out / TIMING / tables.RESPONSES_FILE, tables.RESPONSES))
        self._seen, self._pages, self._similarity = Seen(), dict[str, list[int]](), 0.0
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

    def put(self, task: Task, outcomes: Mapping[str, Outcome]) -> None:
        """Write the document that a task became, or why it became none."""
        self._counts["texts"] += 1
        request = task.request
        exchange = self.answer(request)
        if exchange is None:
            written = Written(text="", rejects=(not_stored(outcomes.get(request.key)),))
        else:
            written = read_text(task, exchange, self.checks.demands)
            self._verdicts.add("form", () if written.pair else written.rejects)
            if written.pair:
                self._verdicts.add("demands", written.rejects)
        rejects, meta = self._judged(task, written, outcomes)
        if not rejects and written.pair is not None:
            rejects = self._duplicate(task, written.pair)
            self._verdicts.add("duplicate", rejects)
        if rejects or written.pair is None:
            self.reject(request, task.parent, rejects[0], written.text)
        else:
            self._corpus.keep(_document(self.source, task, request, written.pair, {**_measured(written), **meta}))

    def reject(self, request: ChatRequest, parent: str, reject: Reject, text: str = "") -> None:
        """Note why a request about a document brought nothing."""
        told = Reject(reject.reason, f"{reject.detail} (document {parent})")
        self._corpus.reject(request.key, self.source, told, text)

    def answer(self, request: ChatRequest) -> Exchange | None:
        """Return the answer to a request, once it is written to `responses.parquet`; None where there is none."""
        exchange = self.store.find(request.key)
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

    def _judged(
        self, task: Task, written: Written, outcomes: Mapping[str, Outcome]
    ) -> tuple[tuple[Reject, ...], dict[str, str]]:
        """Return every reason against a text, those of the judge included, and what the judge said."""
        request = judgement_of(task, written, self.checks)
        if request is None or self.checks.judge is None:
            return written.rejects, {}
        exchange = self.answer(request)
        if exchange is None:
            reject = not_stored(outcomes.get(request.key))
            return (Reject("not_judged", f"{reject.reason}: {reject.detail}"),), {}
        judgement, judge = read_judgement(exchange), self.checks.judge
        if isinstance(judgement, Judgement):
            rejects, said = tuple(judge.bar.rejects(judgement)), judgement.meta()
        else:
            rejects, said = (Reject("judge_unparsable", judgement),), {}
        self._verdicts.add("judge", rejects)
        by = {"judge": judge.model, "judge_request": request.key, "judge_prompt_sha256": judge.prompt.digest}
        return rejects, {**by, **said}

    def _duplicate(self, task: Task, pair: Pair) -> tuple[Reject, ...]:
        """Return whether a text is like one that was kept, and compare one that is not with those of its page."""
        similarity = self._seen.most_similar(pair.text)
        if similarity > self.checks.demands.max_similarity:
            return (Reject("duplicate", f"{similarity:.3f}"),)
        of_page = self._pages.setdefault(task.parent, [])
        if of_page:
            self._counts["compared"] += 1
            self._similarity += self._seen.most_similar(pair.text, of_page)
        of_page.append(self._seen.add(pair.text))
        return ()

    def warn(self, log: logging.Logger, wanted: int) -> None:
        """Say aloud that there was less to write from than was wanted, and that nothing passed."""
        counts = self._counts
        if counts["texts"] < wanted:
            log.warning("the documents were enough for %d of %d texts", counts["texts"], wanted)
        if not self._corpus.tally["documents"]:
            log.warning("NOT ONE of %d answers passed the checks; see the rejects", counts["answers"])

    def metrics(self, wanted: int) -> Metrics:
        """Return the figures of a stage that was to write `wanted` texts."""
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
            "cost": None,  # no endpoint tells its price, and it is not guessed
            "texts_per_page": round(tally["documents"] / max(len(self._pages), 1), 3),
            "similarity_in_page": round(self._similarity / counts["compared"], 4) if counts["compared"] else None,
        }


def not_stored(outcome: Outcome | None) -> Reject:
    """Return why a request has no answer; None for one that was not reached before the asking ended."""
    if outcome is None:
        return Reject("not_sent", "the asking had ended")
    return Reject("refused" if outcome.ending == "refused" else "not_sent", f"{outcome.ending}: {outcome.reason}")


def _measured(written: Written) -> dict[str, str]:
    assert written.measures is not None, "what was read was measured"
    found = written.measures
    problem = {"problem_grounding": f"{found.problem_grounding:.3f}"} if found.has_problem else {}
    return {**problem, "grounding": f"{found.grounding:.3f}", "repetition": f"{found.repetition:.3f}"}


def _document(source: str, task: Task, request: ChatRequest, pair: Pair, more: Mapping[str, str]) -> Document:
    meta = {
        **task.meta,
        **task.writer.meta(),
        "seed": str(request.seed),
        "request": request.key,
        "prompt": task.prompt.name,
        "prompt_sha256": task.prompt.digest,
        "genre": type(task.prompt.genre).__name__,
        START: str(pair.solution_start),
        **more,
    }
    return Document(
        id=document_id(source, request.key, pair.text),
        text=pair.text,
        source=source,
        language=task.prompt.language,
        parents=(task.parent,),
        meta=meta_json(meta),
    )
