"""From stored answers and verdicts to a corpus of programming problems with their solutions."""

from collections.abc import Mapping, Sequence

from regraft.core import Artifact, ConfigError
from regraft.corpus.document import Document, Reject, document_id, meta_json
from regraft.corpus.rows import documents
from regraft.lm.client.chat import ChatRequest
from regraft.lm.client.limits import Outcome
from regraft.synthesis.code.code_qa import CodeQaConfig
from regraft.synthesis.code.pairs import CodePair, num_assertions
from regraft.synthesis.code.problems import Problem, ProblemFields
from regraft.synthesis.code.tasks import CodeTask, failure, read_code
from regraft.synthesis.halves import START
from regraft.synthesis.measures import Seen
from regraft.synthesis.sandbox.trials import Trials
from regraft.synthesis.texts import TextWriter, not_stored


def read_problems(fields: ProblemFields, corpus: Artifact) -> tuple[list[Problem], list[tuple[Document, Reject]]]:
    """Return the seed problems of a corpus, and the documents that are none.

    Raises:
        ConfigError: not one can be shown.
    """
    problems: list[Problem] = []
    unusable: list[tuple[Document, Reject]] = []
    for document in documents(corpus):
        found = fields.read(document)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            unusable.append((document, found))
    if not problems:
        why = f"; the first: {unusable[0][1].reason}, {unusable[0][1].detail}" if unusable else ""
        raise ConfigError(f"None of the {len(unusable)} documents of {corpus.id} is a problem to show{why}.")
    return problems, unusable


class CodeTexts:
    """Reads what models answered to tasks, looks up what became of their programs, and has it written or rejected."""

    def __init__(
        self,
        writer: TextWriter,
        config: CodeQaConfig,
        trials: Trials,
        problems: Sequence[Problem],
        outcomes: Mapping[str, Outcome],
    ) -> None:
        """Write with `writer`; `outcomes` say of requests without an answer what became of them."""
        self._writer, self._config, self._trials, self._outcomes = writer, config, trials, outcomes
        self._seen, self._statements = Seen(), Seen()
        for problem in problems:
            self._statements.add(problem.statement)

    def put(self, task: CodeTask) -> None:
        """Write the document that a task became, or why it became none."""
        self._writer.begin()
        request = task.request
        exchange = self._writer.answer(request)
        if exchange is None:
            pair, rejects, text = None, (not_stored(self._outcomes.get(request.key)),), ""
        else:
            pair, rejects, text = read_code(self._config, exchange)
            self._writer.judged("form", () if pair else rejects)
        if pair:
            rejects = self._checked(pair, rejects)
        if rejects or pair is None:
            parents = " ".join(problem.id for problem in task.shots)
            self._writer.reject(request, parents, rejects[0], text)
        else:
            self._seen.add(pair.pair.text)
            self._writer.keep(self._document(task, request, pair))

    def _checked(self, pair: CodePair, unmet: tuple[Reject, ...]) -> tuple[Reject, ...]:
        """Return what the first round of checks that rejects a problem has against it."""
        return (
            self._writer.judged("demands", unmet)
            or self._writer.judged("duplicate", self._like_another(pair))
            or self._writer.judged("program", failure(pair, self._trials))
        )

    def _like_another(self, pair: CodePair) -> tuple[Reject, ...]:
        bound = self._config.demands.max_similarity
        if (similarity := self._statements.most_similar(pair.problem)) > bound:
            return (Reject("copied_seed", f"{similarity:.3f}"),)
        similarity = self._seen.most_similar(pair.pair.text)
        return (Reject("duplicate", f"{similarity:.3f}"),) if similarity > bound else ()

    def _document(self, task: CodeTask, request: ChatRequest, pair: CodePair) -> Document:
        written, prompt, source = pair.pair, self._config.prompt, self._writer.source
        meta = {
            **self._config.writer.meta(),
            "seed": str(request.seed),
            "request": request.key,
            "prompt": prompt.name,
            "prompt_sha256": prompt.digest,
            "genre": "CodePair",
            "theme": task.theme,
            "isolation": self._trials.isolation.name,
            "tests": pair.tests,
            "num_assertions": str(num_assertions(pair.tests)),
            START: str(written.solution_start),
        }
        return Document(
            id=document_id(source, request.key, written.text),
            text=written.text,
            source=source,
            language=prompt.language,
            parents=tuple(problem.id for problem in task.shots),
            meta=meta_json(meta),
        )
