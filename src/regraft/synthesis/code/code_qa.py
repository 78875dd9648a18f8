"""Programming problems with solutions that pass their tests, by a model that is shown seed problems.

Source: Llama-3-SynE (arXiv:2407.18743), synthetic code QA: new problems and solutions by in-context learning from a
public set of LeetCode problems, a few demonstrations each. Their number, the themes, tests and every check are not in
the paper.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from regraft.core import ConfigError, Context, Execution, Kind, Metrics, optional, stage
from regraft.lm.client.means import ready_to_ask
from regraft.synthesis.code.pairs import CodeDemands
from regraft.synthesis.code.problems import ProblemFields
from regraft.synthesis.genres import Given
from regraft.synthesis.prompts import Prompt
from regraft.synthesis.sandbox.isolation import Limits
from regraft.synthesis.writer import WriterConfig

CODE_QA = Prompt.read(Path(__file__).parents[1] / "prompt_templates" / "code_qa.en.jinja")
"""Asks for three sections; the seed problems are earlier turns of the conversation, which keeps small models to the
form. `discipline` is the theme."""
THEMES = (
    "strings",
    "lists of numbers",
    "dictionaries and counting",
    "sorting and searching",
    "number theory",
    "matrices",
    "dates and times",
    "parsing text",
    "recursion",
    "dynamic programming",
    "graphs",
    "trees",
    "stacks and queues",
    "sets",
    "geometry",
    "simulation",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeQaConfig:
    """What is written after which problems by whom, and what is kept of it."""

    writer: WriterConfig
    num_requests: int
    """One problem is asked for in each."""
    shots: int = 2
    """Seed problems that are shown in each request."""
    problems: ProblemFields = field(default_factory=ProblemFields)
    themes: tuple[str, ...] = THEMES
    """Of which a request names one."""
    prompt: Prompt = CODE_QA
    demands: CodeDemands = field(default_factory=CodeDemands)
    limits: Limits = field(default_factory=Limits)
    """Of each run of a solution with its tests."""
    budget_tokens: int = 10_000_000
    """Prompts and answers together; requests that no longer fit are not sent."""
    seed: int = 0
    source: str = "code-qa"
    """Of the documents that are made."""

    def __post_init__(self) -> None:
        for name in ("num_requests", "shots", "budget_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if not self.themes:
            raise ConfigError("themes is empty; name at least one.")
        self.prompt.render(Given(snippet="", discipline=self.themes[0]))

    @property
    def models(self) -> tuple[str, ...]:
        """The one that is asked."""
        return (self.writer.model,)


def describe(config: CodeQaConfig) -> str:
    """Say what a config may cost, for `regraft plan`."""
    return f"{config.num_requests:,} requests to {config.writer.model}, at most {config.budget_tokens:,} tokens"


def ready(config: CodeQaConfig, execution: Execution, inputs: Collection[str]) -> None:
    """See whether its model can be asked and programs can be run: a harmless one is."""
    from regraft.synthesis.sandbox.choice import choose_isolation

    ready_to_ask(config, execution, inputs)
    choose_isolation(unsafe=execution.unsafe_code)


@stage(
    version=4,
    makes=Kind.CORPUS,
    describe=describe,
    ready=ready,
    problems=Kind.CORPUS,
    generator=optional(Kind.FILES),
)
def code_qa(config: CodeQaConfig, ctx: Context) -> Metrics:
    """Write the problems whose solutions pass their tests as documents, in the order of their requests.

    All others are rejects, and so are seed problems that cannot be shown. A solution is run apart from the machine.
    Its tests count only if they fail once its functions return nothing, and once they return what they are given.
    `parents` are the seed problems that were shown; what is said of `science_qa` on answers, endpoints and budget holds
    here too. Verdicts of programs are kept until the step is done.

    Raises:
        ConfigError: neither an endpoint nor a generator, or both; no usable seed problem; programs cannot be run apart
            from this machine, and the execution does not say `unsafe_code`.
        RegraftError: the endpoint failed, or no request was answered; what was answered is kept for the next run.
    """
    from regraft.synthesis.code.tasks import CodeStream, tasks_of
    from regraft.synthesis.code.texts import CodeTexts, read_problems
    from regraft.synthesis.generation import opened
    from regraft.synthesis.sandbox.choice import choose_isolation
    from regraft.synthesis.sandbox.trials import Trials
    from regraft.synthesis.texts import TextWriter

    isolation = choose_isolation(unsafe=ctx.execution.unsafe_code)
    ctx.log.info("generated programs run in the isolation %s", isolation.name)
    problems, unusable = read_problems(config.problems, ctx.input("problems"))
    count = config.num_requests
    with (
        Trials(ctx.scratch / "trials.jsonl", isolation, config.limits, ctx.execution.workers) as trials,
        opened(ctx, config, config.num_requests) as models,
    ):
        outcomes = models.ask(
            (task.request for task in tasks_of(config, problems)), count, CodeStream(config, trials).follow
        )
        with TextWriter(ctx.out, "code_qa", config.source, models.store, outcomes) as writer:
            for document, reject in unusable:
                writer.reject_document(document, reject)
            texts = CodeTexts(writer, config, trials, problems, outcomes)
            for task in tasks_of(config, problems):
                texts.put(task)
        writer.warn(ctx.log, count)
        return {
            "seed_problems": len(problems),
            "isolation": isolation.name,
            **writer.metrics(count, models.cost()),
        }
