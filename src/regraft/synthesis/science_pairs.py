"""The two pure halves of `science_qa`: requests from documents, and documents from stored answers."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from regraft.core import TIMING, Artifact, ConfigError, Metrics, SchemaError
from regraft.corpus import tables
from regraft.corpus.document import Document, Reject, document_id, meta_json
from regraft.corpus.rows import CorpusWriter, documents, num_documents
from regraft.lm.chat import Answer, ChatRequest, parse_answer, stable_body
from regraft.lm.client import Outcome
from regraft.lm.responses import Exchange, ResponseStore, response_row
from regraft.synthesis.measures import Seen, distinct
from regraft.synthesis.pairs import Pair, parse_pair
from regraft.synthesis.science_qa import ScienceQaConfig
from regraft.synthesis.snippets import Snippet, balanced, snippets_of
from regraft.synthesis.verify import Measures, measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request and what it was made from."""

    request: ChatRequest
    snippet: Snippet
    topic: str
    """Empty where no topics are given."""
    discipline: str


def choose(config: ScienceQaConfig, corpus: Artifact, topics: Artifact | None) -> list[Job]:
    """Return the requests, balanced over topics: a function of the config and the documents alone.

    Raises:
        ConfigError: no document of the language and sources has a snippet.
        SchemaError: the topics are not those of these documents.
    """
    groups: dict[str, list[list[Snippet]]] = {}
    for document, topic in zip(documents(corpus), _topics(corpus, topics), strict=True):
        if document.language != config.language or (config.sources and document.source not in config.sources):
            continue
        groups.setdefault(topic, []).append(snippets_of(document.id, document.text, config.snippets))
    chosen = balanced(groups, config.num_requests, config.seed)
    if not chosen:
        where = f"language {config.language!r}" + (f" and the sources {list(config.sources)}" if config.sources else "")
        raise ConfigError(
            f"{corpus.id} has {sum(map(len, groups.values()))} documents of {where}, and none of them a "
            f"snippet of {config.snippets.min_characters} characters of prose. Check them and the snippet rule."
        )
    return [_job(config, topic, snippet) for topic, snippet in chosen]


def _topics(corpus: Artifact, topics: Artifact | None) -> Sequence[str]:
    if topics is None:
        return [""] * num_documents(corpus)
    table = tables.read(topics.file(tables.ANNOTATION_FILE), tables.TOPICS, ("id", "topic"))
    ids = tables.read_shards(corpus.path, tables.DOCUMENTS_FOLDER, tables.DOCUMENTS, ("id",))
    if not table.column("id").equals(ids.column("id")):
        raise SchemaError(f"{topics.id} is an annotation of other documents than {corpus.id} holds.")
    return table.column("topic").to_pylist()


def _job(config: ScienceQaConfig, topic: str, snippet: Snippet) -> Job:
    discipline = config.disciplines.get(topic, topic) or config.discipline
    place = f"{config.seed} request {snippet.document} {snippet.start}".encode()
    request = ChatRequest(
        model=config.model,
        messages=config.prompt.messages(discipline=discipline, snippet=snippet.text, words=config.words),
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        frequency_penalty=config.frequency_penalty,
        seed=int.from_bytes(hashlib.sha256(place).digest()[:4]) >> 1,
    )
    return Job(request=request, snippet=snippet, topic=topic, discipline=discipline)


def write_pairs(
    config: ScienceQaConfig, jobs: Sequence[Job], outcomes: Mapping[str, Outcome], store: ResponseStore, out: Path
) -> Metrics:
    """Write documents, rejects and responses in the order of the jobs; return the figures of the stage.

    The id of a reject is the key of its request, whose body `responses.parquet` holds where it was answered.
    """
    seen, kept, tokens, answers = Seen(), list[str](), Counter[str](), 0
    with (
        CorpusWriter(out, "science_qa") as corpus,
        tables.Writer(out / tables.RESPONSES_FILE, tables.RESPONSES) as responses,
        tables.Writer(out / TIMING / tables.RESPONSES_FILE, tables.RESPONSES) as raw_responses,
    ):
        for job in jobs:
            exchange = store.find(job.request.key)
            if exchange is None:
                corpus.reject(job.request.key, config.source, _from(job, _not_stored(outcomes[job.request.key])), "")
                continue
            answers += 1
            tokens.update(prompt=exchange.prompt_tokens, completion=exchange.completion_tokens)
            tokens.update(unmetered=not exchange.metered)
            responses.write_rows([response_row(exchange, stable_body(exchange.response))])
            raw_responses.write_rows([response_row(exchange, exchange.response.decode("utf-8", "replace"))])
            result, text = _read(config, job, exchange, seen)
            if isinstance(result, Reject):
                corpus.reject(job.request.key, config.source, _from(job, result), text)
            else:
                kept.append(text)
                corpus.keep(result)
    return {
        "requests": len(jobs),
        "answers": answers,
        "documents": corpus.tally["documents"],
        "rejected": corpus.tally["rejected"],
        **{what: count for what, count in sorted(corpus.tally.items()) if what.startswith("rejected.")},
        "bytes": corpus.tally["bytes"],
        "prompt_tokens": tokens["prompt"],  # of the answers
        "completion_tokens": tokens["completion"],
        "tokens_estimated_for": tokens["unmetered"],
        "spent_tokens": store.spent_tokens(),  # failed attempts included
        "cost": None,  # no endpoint tells its price, and it is not guessed
        "distinct_2": distinct(kept, 2),
    }


def _not_stored(outcome: Outcome) -> Reject:
    return Reject("refused" if outcome.ending == "refused" else "not_sent", f"{outcome.ending}: {outcome.reason}")


def _from(job: Job, reject: Reject) -> Reject:
    """Add the document that the request was made from."""
    return Reject(reject.reason, f"{reject.detail} (document {job.snippet.document})")


def _read(config: ScienceQaConfig, job: Job, exchange: Exchange, seen: Seen) -> tuple[Document | Reject, str]:
    """Return the document that an answer makes, or why it makes none, and the text."""
    answer = parse_answer(exchange.response)
    assert isinstance(answer, Answer), "only answers are stored as such"
    pair = parse_pair(answer.text)
    if isinstance(pair, str):
        reason = "truncated" if answer.finish_reason == "length" else "unparsable"
        return Reject(reason, pair), answer.text
    found = measure(pair, job.snippet.text, answer.finish_reason)
    rejected = config.demands.reject(found, config.language)
    if rejected is not None:
        return rejected, pair.text
    similarity = seen.most_similar(pair.text)
    if similarity > config.demands.max_similarity:
        return Reject("duplicate", f"{similarity:.3f}"), pair.text
    seen.add(pair.text)
    return _document(config, job, pair, found), pair.text


def _document(config: ScienceQaConfig, job: Job, pair: Pair, found: Measures) -> Document:
    meta = {
        "topic": job.topic,
        "discipline": job.discipline,
        "snippet_start": str(job.snippet.start),
        "snippet_end": str(job.snippet.end),
        "snippet_sha256": job.snippet.digest,
        "prompt": config.prompt.name,
        "prompt_sha256": config.prompt.digest,
        "model": config.model,
        "seed": str(job.request.seed),
        "request": job.request.key,
        "problem_grounding": f"{found.problem_grounding:.3f}",
        "grounding": f"{found.grounding:.3f}",
        "repetition": f"{found.repetition:.3f}",
    }
    return Document(
        id=document_id(config.source, job.request.key, pair.text),
        text=pair.text,
        source=config.source,
        language=config.language,
        parents=(job.snippet.document,),
        meta=meta_json(meta),
    )
