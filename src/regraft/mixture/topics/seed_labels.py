"""Seeds labelled by a language model: a balanced sample of documents, and one topic asked for each.

Source: a strong LLM labels sampled pages ([R]: GPT-4); the structure of the prompt is that of YuLan-Mini [Y]. The rule
of sampling, the number of answers, the agreement asked for and the length of the excerpt are not in the paper.
"""

from dataclasses import dataclass

from regraft.core import ConfigError, Context, Kind, Metrics, optional, stage
from regraft.lm.client.means import ready_to_ask
from regraft.mixture.topics.prompts import TopicPrompt, packaged
from regraft.mixture.topics.taxonomy import Taxonomy, by_language

ONE_TOPIC = packaged("one_topic")
"""Source: YuLan-Mini [Y]: the list of topics, the article, exactly one topic and only its name; in our own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedLabelConfig:
    """Which documents are asked about, and how."""

    models: tuple[str, ...]
    """What the endpoint calls them; with the input `generator` the one GGUF file in it."""
    taxonomies: tuple[Taxonomy, ...]
    num_documents: int
    """Of each language that has a taxonomy."""
    sources: tuple[str, ...] = ()
    """Documents of these sources only; all when empty."""
    prompts: tuple[TopicPrompt, ...] = (ONE_TOPIC,)
    num_samples: int = 1
    """Answers to each prompt by each model. The list of topics begins at another of them for each, since models favour
    what stands first; so answers may differ at temperature 0 too."""
    min_agreement: float = 0.5
    """A topic that more answers name than any other, and this share of the requests at least, makes a seed. A request
    without answer counts against it."""
    max_characters: int = 2000
    """Of a document that are shown, from its start; the seed is that excerpt."""
    length_bands: tuple[int, ...] = (500, 2000)
    """Characters at which a band of length ends; each band gives as many documents while it has some."""
    max_tokens: int = 24
    temperature: float = 0.0
    budget_tokens: int = 10_000_000
    """Prompts and answers together; requests that no longer fit are not sent."""
    seed: int = 0

    def __post_init__(self) -> None:
        by_language(self.taxonomies)
        for name in ("num_documents", "num_samples", "max_characters", "max_tokens", "budget_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if not self.models or not self.prompts:
            raise ConfigError("models and prompts must name at least one each.")
        for prompt in self.prompts:
            prompt.check()
        if not 0 <= self.min_agreement <= 1 or self.temperature < 0:
            raise ConfigError(f"min_agreement {self.min_agreement} or temperature {self.temperature} is out of range.")

    @property
    def num_requests(self) -> int:
        """Requests about one document."""
        return len(self.models) * len(self.prompts) * self.num_samples


def describe(config: SeedLabelConfig) -> str:
    """Say what a config may cost, for `regraft plan`."""
    requests = config.num_documents * len(config.taxonomies) * config.num_requests
    return f"{requests:,} requests, at most {config.budget_tokens:,} tokens, {', '.join(config.models)}"


@stage(
    version=3,
    makes=Kind.FILES,
    describe=describe,
    ready=ready_to_ask,
    docs=Kind.CORPUS,
    topics=optional(Kind.ANNOTATION),
    generator=optional(Kind.FILES),
)
def label_seeds(config: SeedLabelConfig, ctx: Context) -> Metrics:
    """Write `examples.jsonl`, the documents on whose topic the answers agree, and all that were asked in `labels`.

    With `topics`, the labels of a cheap classifier, as many documents of each of them are asked about, so that rare
    topics are too. `labels.parquet` says of each document how its answers differ and when they name no topic at all;
    `responses.parquet` holds what the model wrote. Answers lie in scratch as soon as they arrive, so a run that
    continues asks for none of them again.

    Raises:
        ConfigError: neither an endpoint nor a generator, or both, or no document to ask about.
        RegraftError: the endpoint failed, or no request was answered; what was answered is kept for the next run.
    """
    from regraft.lm.client.ask import ask, opened_endpoint
    from regraft.lm.client.responses import ResponseStore
    from regraft.mixture.topics.seed_requests import choose, write_labels

    jobs = choose(config, ctx.input("docs"), ctx.optional("topics"))
    requests = [request for job in jobs for request in job.requests]
    with (
        ResponseStore(ctx.scratch / "responses.sqlite") as store,
        opened_endpoint(ctx, config, len(requests)) as (endpoint, limits),
    ):
        outcomes = ask(requests, endpoint, limits, store, ctx, "label seeds", total=len(requests))
        metrics = write_labels(config, jobs, outcomes, store, ctx.out)
    if not metrics["examples"]:
        ctx.log.warning("NOT ONE of %d documents was given a topic; see labels and responses", len(jobs))
    return metrics
