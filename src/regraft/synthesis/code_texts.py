"""From stored answers and verdicts to a corpus of programming problems with their solutions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from regraft.core import Artifact, ConfigError
from regraft.corpus.document import Document, Reject, document_id, meta_json
from regraft.corpus.rows import documents
from regraft.lm.limits import Outcome
from regraft.lm.responses import ResponseStore
from regraft.synthesis.code_pairs import CodePair, num_assertions
from regraft.synthesis.code_problems import Problem, ProblemFields
from regraft.synthesis.code_qa import CodeQaConfig
from regraft.synthesis.code_tasks import CodeTask, failure, read_code
from regraft.synthesis.halves import START
from regraft.synthesis.measures import Seen
from regraft.synthesis.sandbox.trials import Trials
from regraft.synthesis.tasks import Checks
from regraft.synthesis.texts import TextWriter, not_stored
from regraft.synthesis.verdicts import Round
from regraft.synthesis.verify import Demands


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


class CodeTexts(TextWriter):
    """Writes what became of each task, and counts."""

    def __init__(
        self, out: Path, config: CodeQaConfig, store: ResponseStore, trials: Trials, problems: Sequence[Problem]
    ) -> None:
        demands = Demands(max_similarity=config.demands.max_similarity)
        super().__init__(out, "code_qa", config.source, Checks(demands=demands), store)
        self.config, self.trials = config, trials
        self._statements = Seen()
        for problem in problems:
            self._statements.add(problem.statement)

    def reject_problems(self, unusable: Sequence[tuple[Document, Reject]]) -> None:
        """Note which seed problems could not be shown."""
        for document, reject in unusable:
            self._corpus.reject(document.id, document.source, reject, document.text)

    def put_code(self, task: CodeTask, outcomes: Mapping[str, Outcome]) -> None:
        """Write the document that a task became, or why it became none."""
        self._counts["texts"] += 1
        parents = " ".join(problem.id for problem in task.shots)
        exchange = self.answer(task.request)
        if exchange is None:
            self.reject(task.request, parents, not_stored(outcomes.get(task.request.key)))
            return
        pair, rejects, text = read_code(self.config, exchange)
        self._verdicts.add("form", () if pair else rejects)
        if pair:
            self._verdicts.add("demands", rejects)
        if pair and not rejects:
            rejects = self._found("duplicate", self._like_another(pair))
        if pair and not rejects:
            rejects = self._found("program", failure(pair, self.trials))
        if rejects or pair is None:
            self.reject(task.request, parents, rejects[0], text)
            return
        self._seen.add(pair.pair.text)
        self._corpus.keep(self._document(task, pair))

    def _found(self, round_: Round, reject: Reject | None) -> tuple[Reject, ...]:
        found = (reject,) if reject else ()
        self._verdicts.add(round_, found)
        return found

    def _like_another(self, pair: CodePair) -> Reject | None:
        bound = self.config.demands.max_similarity
        if (similarity := self._statements.most_similar(pair.problem)) > bound:
            return Reject("copied_seed", f"{similarity:.3f}")
        similarity = self._seen.most_similar(pair.pair.text)
        return Reject("duplicate", f"{similarity:.3f}") if similarity > bound else None

    def _document(self, task: CodeTask, pair: CodePair) -> Document:
        written, prompt = pair.pair, self.config.prompt
        meta = {
            **self.config.writer.meta(),
            "seed": str(task.request.seed),
            "request": task.request.key,
            "prompt": prompt.name,
            "prompt_sha256": prompt.digest,
            "genre": "CodePair",
            "theme": task.theme,
            "isolation": self.trials.isolation.name,
            "tests": pair.tests,
            "num_assertions": str(num_assertions(pair.tests)),
            START: str(written.solution_start),
        }
        return Document(
            id=document_id(self.source, task.request.key, written.text),
            text=written.text,
            source=self.source,
            language=prompt.language,
            parents=tuple(problem.id for problem in task.shots),
            meta=meta_json(meta),
        )
