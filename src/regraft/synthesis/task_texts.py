"""From stored answers to a corpus: what became of each task, in the order of the tasks. Asks for nothing."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from regraft.core import Metrics
from regraft.corpus.document import Document, Reject, document_id, meta_json
from regraft.lm.client.chat import ChatRequest
from regraft.lm.client.limits import Outcome
from regraft.synthesis.equivalence import Equivalence
from regraft.synthesis.halves import START
from regraft.synthesis.judge import Judgement, read_judgement, second_request
from regraft.synthesis.measures import Seen
from regraft.synthesis.pairs import Pair
from regraft.synthesis.solver import SolverConfig
from regraft.synthesis.tasks import Reader, Task, Written, judgement_of, solutions_of
from regraft.synthesis.texts import TextWriter, not_stored

Said = dict[str, str]
"""For the `meta` of a document."""


class TaskTexts:
    """Reads what models answered to tasks, and has it written or rejected."""

    def __init__(self, writer: TextWriter, reader: Reader, outcomes: Mapping[str, Outcome]) -> None:
        """Write with `writer`; `outcomes` say of requests without an answer what became of them."""
        self._writer, self._reader, self._outcomes = writer, reader, outcomes
        self._checks = reader.checks
        self._seen, self._pages = Seen(), dict[str, list[int]]()
        self._similarities: list[float] = []
        self._equivalence = Equivalence()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._equivalence.__exit__(kind, error, trace)

    def put(self, task: Task) -> None:
        """Write the document that a task became, or why it became none."""
        self._writer.begin()
        request, said = task.request, Said()
        written = self._read(task, request)
        rejects = written.rejects
        if not rejects:
            rejects, said = self._checked(task, written)
        if not rejects and written.pair is not None:
            rejects = self._writer.judged("duplicate", self._duplicate(task, written.pair))
        if rejects or written.pair is None:
            self._writer.reject(request, task.parent, rejects[0], written.text)
        else:
            meta = {**_measured(written), **said}
            self._writer.keep(_document(self._writer.source, task, request, written.pair, meta))

    def _read(self, task: Task, request: ChatRequest) -> Written:
        exchange = self._writer.answer(request)
        if exchange is None:
            return Written(text="", rejects=(not_stored(self._outcomes.get(request.key)),))
        written = self._reader.read(task, exchange)
        self._writer.judged("form", () if written.pair else written.rejects)
        if written.pair:
            self._writer.judged("demands", written.rejects)
        return written

    def _checked(self, task: Task, written: Written) -> tuple[tuple[Reject, ...], Said]:
        """Return what the judge has against a text, else what other solutions have, and what was said."""
        rejects, said = self._judgement(task, written)
        solver = self._checks.solver
        if solver is None or not written.solved_again:
            return rejects, said
        differing = self._differing(written, solver)
        said |= {"solver": solver.model, "solver_prompt_sha256": solver.prompt.digest}
        return rejects or self._writer.judged("answer", differing), said

    def _judgement(self, task: Task, written: Written) -> tuple[tuple[Reject, ...], Said]:
        request, judge = judgement_of(task, written, self._checks), self._checks.judge
        if request is None or judge is None:
            return (), {}
        exchange = self._writer.answer(request)
        if exchange is None:
            return (self._missing("not_judged", request),), {}
        judgement = read_judgement(judge, exchange)
        if again := second_request(judge, request, exchange):
            repaired = self._writer.answer(again)
            judgement = read_judgement(judge, repaired) if repaired else judgement
        if isinstance(judgement, Judgement):
            rejects, scores = judge.bar.rejects(judgement), judgement.meta()
        else:
            rejects, scores = [Reject("judge_unparsable", judgement)], Said()
        by = {"judge": judge.model, "judge_request": request.key, "judge_prompt_sha256": judge.prompt.digest}
        return self._writer.judged("judge", rejects), {**by, **scores}

    def _differing(self, written: Written, solver: SolverConfig) -> tuple[Reject, ...]:
        """Return what other solutions of a problem have against its answer."""
        assert written.pair is not None, "what is solved again has a problem"
        requests = solutions_of(written, self._checks)
        exchanges = [self._writer.answer(request) for request in requests]
        for request, exchange in zip(requests, exchanges, strict=True):
            if exchange is None:
                return (self._missing("not_solved_again", request),)
        stored = [exchange for exchange in exchanges if exchange is not None]
        reject = solver.reject(written.pair.solution, stored, self._equivalence.same)
        return (reject,) if reject else ()

    def _missing(self, reason: str, request: ChatRequest) -> Reject:
        why = not_stored(self._outcomes.get(request.key))
        return Reject(reason, f"{why.reason}: {why.detail}")

    def _duplicate(self, task: Task, pair: Pair) -> tuple[Reject, ...]:
        """Return whether a text is like one that was kept, and compare one that is not with those of its page."""
        similarity = self._seen.most_similar(pair.text)
        if similarity > self._checks.demands.max_similarity:
            return (Reject("duplicate", f"{similarity:.3f}; at most {self._checks.demands.max_similarity:g}"),)
        of_page = self._pages.setdefault(task.parent, [])
        if of_page:
            self._similarities.append(self._seen.most_similar(pair.text, of_page))
        of_page.append(self._seen.add(pair.text))
        return ()

    def metrics(self) -> Metrics:
        """Return how many texts a page brought, and how like each other they are."""
        kept, compared = sum(map(len, self._pages.values())), self._similarities
        return {
            "texts_per_page": round(kept / max(len(self._pages), 1), 3),
            "similarity_in_page": round(sum(compared) / len(compared), 4) if compared else None,
        }


def _measured(written: Written) -> Said:
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
