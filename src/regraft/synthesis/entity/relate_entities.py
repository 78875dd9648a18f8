"""Texts on how the entities of a document are related: many ways to say what a small corpus says once.

Source: EntiGraph (arXiv:2409.07431), where what is learned grows with the logarithm of such text. None of the numbers
here is from there, and nothing of it is in the paper.
"""

from dataclasses import dataclass, field

from regraft.core import ConfigError, Context, Kind, Metrics, optional, stage
from regraft.lm.client.means import ready_to_ask
from regraft.synthesis.genres import Given
from regraft.synthesis.prompts import ENTITIES, RELATION, Prompt
from regraft.synthesis.tasks import Checks
from regraft.synthesis.writer import WriterConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RelateConfig:
    """Whose entities are related, by whom, and what is kept of it."""

    writer: WriterConfig
    num_documents: int
    """A request for the entities of each; then one for each pair."""
    pairs_per_document: int = 10
    max_entities: int = 12
    """Of a document, the most important ones."""
    language: str = "en"
    """Of the documents and of what is written."""
    sources: tuple[str, ...] = ()
    """Documents of these sources only; all when empty."""
    min_characters: int = 300
    """Of a document; what is shorter is passed over."""
    max_characters: int = 4000
    """Of a document that are shown, from its start."""
    entities: Prompt = ENTITIES
    """Asks for a list of names; its genre reads nothing here."""
    relation: Prompt = RELATION
    words: int = 150
    """Length of a text to ask for."""
    checks: Checks = field(default_factory=Checks)
    budget_tokens: int = 10_000_000
    """Prompts and answers together, the judge's included; requests that no longer fit are not sent."""
    seed: int = 0
    source: str = "entity-pairs"
    """Of the documents that are made."""

    def __post_init__(self) -> None:
        for name in ("num_documents", "pairs_per_document", "min_characters", "max_characters", "words"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.max_entities < 2:
            raise ConfigError(f"max_entities is {self.max_entities}; a pair takes at least 2.")
        if self.relation.language != self.language:
            raise ConfigError(f"relation is in {self.relation.language!r}, but documents in {self.language!r}.")
        for prompt in (self.entities, self.relation):
            prompt.render(Given(snippet="a text", entities=("first", "second")))

    @property
    def models(self) -> tuple[str, ...]:
        """Those that are asked, the one that writes first."""
        return (self.writer.model, *self.checks.models)


def describe(config: RelateConfig) -> str:
    """Say what a config may cost, for `regraft plan`."""
    requests = config.num_documents * (1 + config.pairs_per_document * (2 if config.checks.judge else 1))
    return f"at most {requests:,} requests to {config.writer.model} and {config.budget_tokens:,} tokens"


@stage(
    version=4,
    makes=Kind.CORPUS,
    describe=describe,
    ready=ready_to_ask,
    docs=Kind.CORPUS,
    generator=optional(Kind.FILES),
)
def relate_entities(config: RelateConfig, ctx: Context) -> Metrics:
    """Write the texts that pass every check as documents, document by document; all others are rejects.

    So are documents of which fewer than two entities are found. What is said of `science_qa` on answers, endpoints and
    budget holds here too.

    Raises:
        ConfigError: neither an endpoint nor a generator, or both, or no document to write from.
        RegraftError: the endpoint failed, or no request was answered; what was answered is kept for the next run.
    """
    from regraft.synthesis.entity.tasks import EntityStream, choose_pages, write_page
    from regraft.synthesis.generation import opened
    from regraft.synthesis.task_texts import TaskTexts
    from regraft.synthesis.tasks import Reader
    from regraft.synthesis.texts import TextWriter

    pages = choose_pages(config, ctx.input("docs"))
    with opened(ctx, config, len(pages)) as models:
        reader = Reader(config.checks)
        stream = EntityStream(config, reader)
        total = len(pages) * (1 + config.pairs_per_document * config.checks.requests_per_text)
        outcomes = models.ask(stream.requests(pages), total, stream.follow)
        with (
            TextWriter(ctx.out, "relate_entities", config.source, models.store, outcomes) as writer,
            TaskTexts(writer, reader, outcomes) as texts,
        ):
            for page in pages:
                write_page(config, page, outcomes, writer, texts)
        wanted = len(pages) * config.pairs_per_document
        writer.warn(ctx.log, wanted)
        return {
            "pages_short": config.num_documents - len(pages),
            **writer.metrics(wanted, models.cost()),
            **texts.metrics(),
        }
