"""Science problems with solutions, written by a model that was inspired by snippets of documents.

Source: Llama-3-SynE (arXiv:2407.18743), synthetic scientific QA. Snippet rule, sampling and every check are not in the
paper.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regraft.core import ConfigError, Context, Kind, Metrics, RegraftError, optional, stage
from regraft.synthesis.prompts import SCIENCE_QA, Prompt
from regraft.synthesis.snippets import SnippetRule
from regraft.synthesis.verify import Demands

if TYPE_CHECKING:
    from regraft.lm.chat import ChatRequest
    from regraft.lm.client import Limits, Outcome
    from regraft.lm.endpoint import Endpoint
    from regraft.lm.responses import ResponseStore

KEY_VARIABLE = "REGRAFT_API_KEY"
"""Environment variable with the key of an endpoint that wants one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScienceQaConfig:
    """What is asked of which model. Sampling and sizes are not in the paper, which gives only the model (7B)."""

    model: str
    """What the endpoint calls the model. With an input `generator`: the GGUF file inside it."""
    num_requests: int
    """One pair is asked for in each; fewer are sent when the documents have not so many snippets."""
    language: str = "en"
    """Of the documents that snippets are taken from, and of the pairs."""
    sources: tuple[str, ...] = ()
    """Documents of these sources only; all when empty."""
    discipline: str = "science"
    """Named in the prompt where no topics are given."""
    disciplines: Mapping[str, str] = field(default_factory=dict[str, str])
    """Topic -> discipline to name in the prompt; a topic that is not here names itself."""
    prompt: Prompt = SCIENCE_QA
    words: int = 300
    """Length of a solution to ask for. Source: 250-350 words (arXiv:2407.18743, [Y])."""
    max_tokens: int = 800
    temperature: float = 0.7
    top_p: float = 0.95
    frequency_penalty: float = 0.0
    """A very small model needs some 0.7 not to repeat itself."""
    seed: int = 0
    budget_tokens: int = 10_000_000
    """Prompts and answers together; requests that no longer fit are not sent."""
    snippets: SnippetRule = field(default_factory=SnippetRule)
    demands: Demands = field(default_factory=Demands)
    source: str = "science-qa"
    """Of the documents that are made."""

    def __post_init__(self) -> None:
        for name in ("num_requests", "words", "max_tokens", "budget_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if not self.temperature >= 0:
            raise ConfigError(f"temperature is {self.temperature}; it must not be negative.")
        self.prompt.render(discipline=self.discipline, snippet="a snippet", words=self.words)


def describe(config: ScienceQaConfig) -> str:
    """Say what a config may cost, for `regraft plan`."""
    return f"{config.num_requests:,} requests, at most {config.budget_tokens:,} tokens, {config.model}"


@stage(
    version=1,
    makes=Kind.CORPUS,
    describe=describe,
    docs=Kind.CORPUS,
    topics=optional(Kind.ANNOTATION),
    generator=optional(Kind.FILES),
)
def science_qa(config: ScienceQaConfig, ctx: Context) -> Metrics:
    """Write the pairs that pass every check as documents, in the order of their requests; all others are rejects.

    A pair's `parents` is the document of its snippet, `meta` says how it was made. `responses.parquet` holds what the
    model wrote, `timing/responses.parquet` the bodies as they came. Answers lie in scratch as soon as they arrive: a
    run that continues asks for none of them again.

    Raises:
        ConfigError: neither an endpoint nor a generator, or no document of the language and sources.
        RegraftError: the endpoint failed too often; what was answered is kept for the next run.
    """
    from regraft.lm.responses import ResponseStore
    from regraft.synthesis.science_pairs import choose, write_pairs

    documents = ctx.input("docs").file("documents.parquet")
    topics = ctx.optional("topics")
    jobs = choose(config, documents, topics.file("annotation.parquet") if topics else None)
    if len(jobs) < config.num_requests:
        ctx.log.warning("the documents have snippets for %d of %d requests", len(jobs), config.num_requests)
    with ResponseStore(ctx.scratch / "responses.sqlite") as store, _endpoint(config, ctx) as (endpoint, limits):
        answered = store.answered() & {job.request.key for job in jobs}
        if answered:
            ctx.log.info("%d of %d answers are stored already", len(answered), len(jobs))
        outcomes = _generate([job.request for job in jobs], endpoint, store, limits, ctx)
        metrics = write_pairs(config, jobs, outcomes, store, ctx.out)
    return {"requests_short": config.num_requests - len(jobs), **metrics}


def _generate(
    requests: Sequence["ChatRequest"], endpoint: "Endpoint", store: "ResponseStore", limits: "Limits", ctx: Context
) -> dict[str, "Outcome"]:
    from regraft.lm.client import generate

    with ctx.track("generate", len(requests), "requests") as ticker:
        outcomes = generate(requests, endpoint, store, limits, lambda _, outcome: ticker.advance(1, outcome.ending))
    for outcome in outcomes.values():
        if outcome.ending == "stopped":
            raise RegraftError(f"Generation stopped: {outcome.reason}. What was answered is kept; run again to go on.")
    return outcomes


@contextmanager
def _endpoint(config: ScienceQaConfig, ctx: Context) -> Generator[tuple["Endpoint", "Limits"]]:
    """Yield where to send requests: servers of our own for a generator, else the endpoint of the execution."""
    import os

    from regraft.lm.client import Limits
    from regraft.lm.endpoint import Endpoint
    from regraft.lm.server import embedded_server

    generator = ctx.optional("generator")
    if generator is not None and ctx.execution.endpoint:
        ctx.log.info("the model of the input `generator` is asked, not the endpoint %s", ctx.execution.endpoint)
    if generator is None:
        if not ctx.execution.endpoint:
            raise ConfigError("science_qa has no generator: give a step that makes one as input, or set --endpoint.")
        key = KEY_VARIABLE if os.environ.get(KEY_VARIABLE) else ""
        yield (
            Endpoint(base_urls=(ctx.execution.endpoint,), key_variable=key),
            Limits(budget_tokens=config.budget_tokens),
        )
        return
    with ExitStack() as servers:
        count = min(ctx.execution.workers, config.num_requests)
        urls = [servers.enter_context(embedded_server(generator.file(config.model))) for _ in range(count)]
        yield Endpoint(base_urls=tuple(urls)), Limits(concurrency=count, budget_tokens=config.budget_tokens)
