"""Science problems with solutions, written by a model that was inspired by snippets of documents.

Source: Llama-3-SynE (arXiv:2407.18743), synthetic scientific QA. Snippet rule, sampling and every check are not in the
paper.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from regraft.core import ConfigError, Context, Kind, Metrics, optional, stage
from regraft.synthesis.prompts import SCIENCE_QA, Prompt
from regraft.synthesis.snippets import SnippetRule
from regraft.synthesis.verify import Demands


@dataclass(frozen=True, slots=True, kw_only=True)
class ScienceQaConfig:
    """What is asked of which model. Sampling and sizes are not in the paper, which gives only the model (7B)."""

    model: str
    """The GGUF file inside the input `generator`; without that input, what the endpoint calls the model."""
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
    version=2,
    makes=Kind.CORPUS,
    describe=describe,
    docs=Kind.CORPUS,
    topics=optional(Kind.ANNOTATION),
    generator=optional(Kind.FILES),
)
def science_qa(config: ScienceQaConfig, ctx: Context) -> Metrics:
    """Write the pairs that pass every check as documents, in the order of their requests; all others are rejects.

    So are requests that the endpoint refused and those that the budget left out. An endpoint that fails is none of
    this: the stage ends with an error and keeps what was answered. That no pair passes is allowed, and warned about.
    A pair's `parents` is the document of its snippet, `meta` says how it was made. `responses.parquet` holds what the
    model wrote, `timing/responses.parquet` the bodies as they came. Answers lie in scratch as soon as they arrive: a
    run that continues asks for none of them again.

    Raises:
        ConfigError: neither an endpoint nor a generator, or both, or no document of the language and sources.
        RegraftError: the endpoint failed, or no request was answered; what was answered is kept for the next run.
    """
    from regraft.lm.asking import ask, opened_endpoint
    from regraft.lm.responses import ResponseStore
    from regraft.synthesis.science_pairs import choose, write_pairs

    _check_means(config, ctx)
    jobs = choose(config, ctx.input("docs"), ctx.optional("topics"))
    if len(jobs) < config.num_requests:
        ctx.log.warning("the documents have snippets for %d of %d requests", len(jobs), config.num_requests)
    generator = ctx.optional("generator")
    gguf = generator.file(config.model) if generator else None
    with (
        ResponseStore(ctx.scratch / "responses.sqlite") as store,
        opened_endpoint(ctx, gguf, len(jobs), config.budget_tokens) as (endpoint, limits),
    ):
        outcomes = ask([job.request for job in jobs], endpoint, limits, store, ctx, "generate")
        metrics = write_pairs(config, jobs, outcomes, store, ctx.out)
    if not metrics["documents"]:
        ctx.log.warning("NOT ONE of %d answers passed the checks; see its rejects", metrics["answers"])
    return {"requests_short": config.num_requests - len(jobs), **metrics}


def _check_means(config: ScienceQaConfig, ctx: Context) -> None:
    """Ask for exactly one model: the config names it, so it must be clear whose name that is."""
    generator, endpoint = ctx.optional("generator"), ctx.execution.endpoint
    if generator is not None and endpoint:
        raise ConfigError(
            f"science_qa is wired to ask {config.model} in a server of its own, but an endpoint is given too. "
            "Give --generator NAME, the model's name there, together with --endpoint, or neither."
        )
    if generator is None and not endpoint:
        raise ConfigError(
            f"science_qa is to ask {config.model}, but no endpoint. Give --endpoint URL with --generator NAME, or wire "
            "a step that makes the GGUF file as input `generator`."
        )
