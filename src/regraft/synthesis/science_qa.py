"""Science problems with solutions, and texts of other genres, by a model that was inspired by snippets of documents.

Source: Llama-3-SynE (arXiv:2407.18743), synthetic scientific QA. Snippet rule, sampling, other genres and every check
are not in the paper.
"""

from dataclasses import dataclass, field

from regraft.core import ConfigError, Context, Kind, Metrics, optional, stage
from regraft.core.stage import Role
from regraft.lm.client.means import ready_to_ask
from regraft.synthesis.genres import Given
from regraft.synthesis.prompts import SCIENCE_QA, Prompt
from regraft.synthesis.seeds import SeedRule
from regraft.synthesis.tasks import Checks
from regraft.synthesis.writer import WriterConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ScienceQaConfig:
    """What is written from which snippets by whom, and what is kept of it."""

    writer: WriterConfig
    num_requests: int
    """One text is asked for in each; fewer are sent when the documents have not so many snippets."""
    seeds: SeedRule = field(default_factory=SeedRule)
    prompts: tuple[Prompt, ...] = (SCIENCE_QA,)
    """In the language of the seeds; dealt to the snippets of each discipline in turn."""
    prompts_per_snippet: int = 1
    """How many texts, each by another prompt, are asked for from one snippet."""
    words: int = 300
    """Length of a text to ask for. Source: 250-350 words (arXiv:2407.18743, [Y])."""
    checks: Checks = field(default_factory=Checks)
    budget_tokens: int = 10_000_000
    """Prompts and answers together, the judge's included; requests that no longer fit are not sent."""
    seed: int = 0
    source: str = "science-qa"
    """Of the documents that are made."""

    def __post_init__(self) -> None:
        for name in ("num_requests", "words", "budget_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if not 1 <= self.prompts_per_snippet <= len(self.prompts):
            raise ConfigError(
                f"prompts_per_snippet is {self.prompts_per_snippet}; there are {len(self.prompts)} prompts, so give 1 "
                "to as many."
            )
        if len({prompt.name for prompt in self.prompts}) < len(self.prompts):
            raise ConfigError(f"prompts have the names {[prompt.name for prompt in self.prompts]}; give each its own.")
        for prompt in self.prompts:
            if prompt.language != self.seeds.language:
                raise ConfigError(
                    f"prompt {prompt.name!r} is in {prompt.language!r}, but seeds are in {self.seeds.language!r}."
                )
            prompt.render(Given(snippet="a snippet", words=self.words))

    @property
    def models(self) -> tuple[str, ...]:
        """Those that are asked, the one that writes first."""
        return (self.writer.model, *self.checks.models)


def describe(config: ScienceQaConfig) -> str:
    """Say what a config may cost, for `regraft plan`."""
    judge, solver = config.checks.judge, config.checks.solver
    judged = f" and as many for {judge.model} to judge" if judge else ""
    solved = f" and {solver.num_solutions} for {solver.model} to solve each of some again" if solver else ""
    requests = f"{config.num_requests:,} requests to {config.writer.model}{judged}{solved}"
    return f"{requests}, at most {config.budget_tokens:,} tokens"


@stage(
    version=6,
    makes=Kind.CORPUS,
    describe=describe,
    ready=ready_to_ask,
    docs=Kind.CORPUS,
    topics=optional(Kind.ANNOTATION),
    evaluations=Role(Kind.EVALUATION, many=True, required=False),
    generator=optional(Kind.FILES),
)
def science_qa(config: ScienceQaConfig, ctx: Context) -> Metrics:
    """Write the texts that pass every check as documents, in the order of their requests; all others are rejects.

    So are requests that the endpoint refused and those that the budget left out. An endpoint that fails is none of
    this: the stage ends with an error and keeps what was answered. That no text passes is allowed, and warned about.
    A text's `parents` is the document of its snippet, `meta` says how it was made, and `seeds.parquet` why from this
    snippet. `responses.parquet` holds what the models wrote, `timing/responses.parquet` the bodies as they came.
    Answers are stored as soon as they arrive: a run that continues asks for none of them again.

    Raises:
        ConfigError: neither an endpoint nor a generator, or both, or no document to write from.
        RegraftError: the endpoint failed, or no request was answered; what was answered is kept for the next run.
    """
    from regraft.corpus.tables import SEEDS_FILE
    from regraft.synthesis.generation import opened
    from regraft.synthesis.science_tasks import tasks_of
    from regraft.synthesis.seed_choice import choose_seeds
    from regraft.synthesis.task_texts import TaskTexts
    from regraft.synthesis.tasks import Reader, Stream
    from regraft.synthesis.texts import TextWriter

    count = -(-config.num_requests // config.prompts_per_snippet)
    inputs = (ctx.input("docs"), ctx.optional("topics"), ctx.inputs.get("evaluations", ()))
    with opened(ctx, config, config.num_requests) as models:
        chosen = choose_seeds(config.seeds, count, config.seed, *inputs)
        chosen.write(ctx.out / SEEDS_FILE)
        reader = Reader(config.checks)
        stream = Stream(reader)
        tasks = tasks_of(config, chosen.seeds)
        outcomes = models.ask(
            stream.requests(tasks), config.num_requests * config.checks.requests_per_text, stream.follow
        )
        with (
            TextWriter(ctx.out, "science_qa", config.source, models.store, outcomes) as writer,
            TaskTexts(writer, reader, outcomes) as texts,
        ):
            for task in tasks_of(config, chosen.seeds):
                texts.put(task)
        writer.warn(ctx.log, config.num_requests)
        return {**writer.metrics(config.num_requests, models.cost()), **texts.metrics(), **chosen.metrics()}
