"""What `relate_entities` asks: the entities of a document, then a text on each pair of them that its answer gives."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regraft.core import Artifact, ConfigError
from regraft.corpus.document import Document, Reject
from regraft.corpus.rows import documents
from regraft.lm.client.chat import ChatRequest
from regraft.lm.client.limits import Outcome
from regraft.synthesis.answered import answer_of
from regraft.synthesis.draw import Draw, Item
from regraft.synthesis.entity.entities import pairs_of, parse_entities
from regraft.synthesis.entity.relate_entities import RelateConfig
from regraft.synthesis.genres import Given
from regraft.synthesis.snippets import Snippet
from regraft.synthesis.task_texts import TaskTexts
from regraft.synthesis.tasks import Reader, Stream, Task
from regraft.synthesis.texts import TextWriter, not_stored

if TYPE_CHECKING:
    from regraft.lm.client.responses import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The beginning of a document, of whose entities is written."""

    snippet: Snippet
    request: ChatRequest
    """For its entities."""


def choose_pages(config: RelateConfig, corpus: Artifact) -> list[Page]:
    """Return at most `num_documents` pages, in a seeded order.

    Raises:
        ConfigError: no document of the language and sources has enough text.
    """
    draw = Draw[str](config.num_documents, config.seed)
    for document in documents(corpus):
        if _wanted(config, document):
            draw.offer("", [Item(document.id, 1.0, document.id)])
    order = {id_: number for number, (_, id_) in enumerate(draw.drawn())}
    if not order:
        raise ConfigError(
            f"{corpus.id} has no document in {config.language!r} of the sources {list(config.sources) or 'all'} with "
            f"{config.min_characters} characters."
        )
    chosen = sorted((d for d in documents(corpus) if d.id in order), key=lambda d: order[d.id])
    return [_page(config, document) for document in chosen]


def _wanted(config: RelateConfig, document: Document) -> bool:
    of_source = not config.sources or document.source in config.sources
    return of_source and document.language == config.language and len(document.text) >= config.min_characters


def _page(config: RelateConfig, document: Document) -> Page:
    text = document.text[: config.max_characters]
    given = Given(snippet=text, words=config.max_entities)
    return Page(
        snippet=Snippet(document=document.id, start=0, end=len(text), text=text),
        request=config.writer.request(config.entities.messages(given), f"{document.id} entities"),
    )


def relations(config: RelateConfig, page: Page, exchange: "Exchange") -> list[Task]:
    """Return the tasks that the entities in an answer give; none when it names fewer than two."""
    answer, snippet = answer_of(exchange, config.writer.max_tokens), page.snippet
    if isinstance(answer, str):
        return []
    found = parse_entities(answer.text, snippet.text, config.max_entities)
    pairs = pairs_of(found, config.pairs_per_document, snippet.document, config.seed)
    return [_task(config, page, pair) for pair in pairs]


def _task(config: RelateConfig, page: Page, pair: tuple[str, str]) -> Task:
    snippet = page.snippet
    meta = {
        "entities": "; ".join(pair),
        "entities_request": page.request.key,
        "entities_prompt_sha256": config.entities.digest,
        "snippet_start": str(snippet.start),
        "snippet_end": str(snippet.end),
        "snippet_sha256": snippet.digest,
    }
    return Task(
        writer=config.writer,
        prompt=config.relation,
        given=Given(snippet=snippet.text, words=config.words, entities=pair),
        parent=snippet.document,
        place=f"{snippet.document} {pair[0]} {pair[1]}",
        meta=meta,
    )


def write_page(
    config: RelateConfig, page: Page, outcomes: Mapping[str, Outcome], writer: TextWriter, texts: TaskTexts
) -> None:
    """Write what became of a page: of each of its pairs, or why it has none."""
    exchange = writer.answer(page.request)
    tasks = relations(config, page, exchange) if exchange else []
    if not tasks:
        few = Reject("few_entities", "fewer than two entities that stand in the document")
        why = few if exchange else not_stored(outcomes.get(page.request.key))
        writer.reject(page.request, page.snippet.document, why)
    for task in tasks:
        texts.put(task)


class EntityStream:
    """Requests for entities, each followed by those for the texts on them, and these by their judgements."""

    def __init__(self, config: RelateConfig, reader: Reader) -> None:
        self.config, self.texts = config, Stream(reader)
        self._open: dict[str, Page] = {}

    def requests(self, pages: Iterable[Page]) -> Iterator[ChatRequest]:
        """Yield the requests for the entities of some pages, in order."""
        for page in pages:
            self._open[page.request.key] = page
            yield page.request

    def follow(self, request: ChatRequest, exchange: "Exchange") -> Iterator[ChatRequest]:
        """Yield what is to be asked once a request is answered."""
        page = self._open.pop(request.key, None)
        if page is None:
            yield from self.texts.follow(request, exchange)
        else:
            yield from self.texts.requests(relations(self.config, page, exchange))
