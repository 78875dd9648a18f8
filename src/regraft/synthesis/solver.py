"""A model solves a problem again, *without seeing the page or the solution*: what it finds bears out the answer or not.

Pure functions, as those of the judge: requests follow from a stored answer, the verdict from what is stored of them.

Source: agreement of several solutions as in self-consistency (arXiv:2203.11171 [R]); not in the paper.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.corpus.document import Reject
from regraft.lm.client.chat import ChatRequest, Message
from regraft.synthesis.answered import answer_of
from regraft.synthesis.answers import Same, final_answer
from regraft.synthesis.pairs import Pair
from regraft.synthesis.rendering import rendered

if TYPE_CHECKING:
    from regraft.lm.client.responses import Exchange

_FOLDER = Path(__file__).with_name("prompt_templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverPrompt:
    """A template over `problem`; a variable that it asks for beyond this is an error."""

    name: str
    template: str

    @property
    def digest(self) -> str:
        """SHA-256 of the template, for the provenance of a pair."""
        return hashlib.sha256(self.template.encode()).hexdigest()

    def message(self, problem: str) -> Message:
        """Return what to ask about a problem.

        Raises:
            ConfigError: the template is no Jinja2, asks for another variable or does what the sandbox forbids.
        """
        return Message(role="user", content=rendered(self.name, self.template, {"problem": problem}))


def _packaged(name: str) -> SolverPrompt:
    return SolverPrompt(name=name, template=(_FOLDER / f"{name}.jinja").read_text("utf-8"))


SOLVE_EN = _packaged("solve.en")
SOLVE_ZH = _packaged("solve.zh")


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverConfig:
    """Who solves which problems again, and how many of the solutions must agree. None of it is in the paper.

    A problem whose solution states no final answer is not solved again: it may be a proof.
    """

    model: str
    """The GGUF file inside the input `generator`; without such an input, what the endpoint calls the model."""
    disciplines: tuple[str, ...] = ("mathematics",)
    """Of the problems, by their names in the list of disciplines."""
    num_solutions: int = 2
    """How often a problem is solved again, each time with another seed."""
    min_agreeing: int = 1
    """Of these, that come to the same answer; more must agree than differ, too. No part of a request."""
    prompt: SolverPrompt = SOLVE_EN
    max_tokens: int = 800
    temperature: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_solutions", "min_agreeing", "max_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"solver.{name} is {getattr(self, name)}; it must be at least 1.")
        if self.min_agreeing > self.num_solutions:
            raise ConfigError(
                f"solver.min_agreeing is {self.min_agreeing}, but a problem is solved {self.num_solutions} times."
            )
        if not self.temperature >= 0:
            raise ConfigError(f"solver.temperature is {self.temperature}; it must not be negative.")
        if self.temperature == 0 and self.num_solutions > 1:
            raise ConfigError("solver.temperature is 0, so all solutions would be the same; give num_solutions 1.")
        self.prompt.message("a problem")

    def concerns(self, pair: Pair, discipline: str) -> bool:
        """Return whether a pair is to be solved again: it is of such a discipline, and states a final answer."""
        return discipline in self.disciplines and pair.solution_start > 0 and bool(final_answer(pair.solution))

    def requests(self, problem: str) -> tuple[ChatRequest, ...]:
        """Return the requests for solutions: a function of the config and the problem's text alone."""
        return tuple(
            ChatRequest(
                model=self.model,
                messages=(self.prompt.message(problem),),
                max_tokens=self.max_tokens,
                temperature=self.temperature,
                seed=self.seed + number,
            )
            for number in range(self.num_solutions)
        )

    def reject(self, solution: str, others: "list[Exchange]", same: Same) -> Reject | None:
        """Return why stored solutions do not bear out a solution's answer, None when they do."""
        found, answers = final_answer(solution), [final_answer(self._text(other)) for other in others]
        verdicts = [same(found, answer) for answer in answers if answer]
        agreeing, differing = verdicts.count(True), verdicts.count(False)
        if agreeing >= self.min_agreeing and agreeing > differing:
            return None
        detail = f"{found}: {agreeing} agree, {differing} differ, of {len(answers)}"
        return Reject("answer_not_found_again", detail)

    def _text(self, exchange: "Exchange") -> str:
        answer = answer_of(exchange, self.max_tokens)
        return "" if isinstance(answer, str) else answer.text
