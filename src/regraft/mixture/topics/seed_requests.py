"""The two pure halves of `label_seeds`: requests from documents, and examples from stored answers."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from regraft.core import TIMING, Artifact, ConfigError, Metrics
from regraft.corpus import tables
from regraft.corpus.document import Document
from regraft.corpus.rows import documents, with_topics
from regraft.lm.client.chat import Answer, ChatRequest, parse_answer, stable_body
from regraft.lm.client.limits import Outcome
from regraft.lm.client.responses import Exchange, ResponseStore, response_row
from regraft.mixture.topics.examples import EXAMPLES_FILE, Example, write_examples
from regraft.mixture.topics.sampling import BalancedSample
from regraft.mixture.topics.seed_labels import SeedLabelConfig
from regraft.mixture.topics.taxonomy import Topic, by_language, of_language
from regraft.mixture.topics.votes import Verdict, parse_topic, verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked about one document."""

    example: Example
    """Without topic yet."""
    source: str
    requests: tuple[ChatRequest, ...]
    listed: tuple[tuple[str, ...], ...]
    """The topics in the order in which each request lists them."""


def choose(config: SeedLabelConfig, corpus: Artifact, topics: Artifact | None) -> list[Job]:
    """Return what to ask, a language after the other, in the order of the sample.

    Raises:
        ConfigError: a taxonomy's language has no document.
        SchemaError: the topics are not those of these documents.
    """
    languages = by_language(config.taxonomies)
    samples = {
        language: BalancedSample(config.num_documents, config.seed, config.length_bands) for language in languages
    }
    for document, topic in with_topics(corpus, topics):
        language = of_language(document.language, list(languages))
        shown = document.text[: config.max_characters].strip()
        if language is not None and shown and (not config.sources or document.source in config.sources):
            samples[language].add(document.id, topic, document.source, len(document.text))
    chosen = {id_: language for language, sample in samples.items() for id_ in sample.chosen()}
    for language in languages:
        if language not in chosen.values():
            where = f" of the sources {list(config.sources)}" if config.sources else ""
            raise ConfigError(f"{corpus.id} has no document in the language {language!r}{where} to ask about.")
    found = {d.id: d for d in documents(corpus) if d.id in chosen}
    return [_job(config, found[id_], languages[language].topics) for id_, language in chosen.items()]


def _job(config: SeedLabelConfig, document: Document, topics: Sequence[Topic]) -> Job:
    text = document.text[: config.max_characters]
    pairs = list(_requests(config, document.id, text, topics))
    return Job(
        example=Example(topic="", text=text, id=document.id, language=document.language),
        source=document.source,
        requests=tuple(request for request, _ in pairs),
        listed=tuple(names for _, names in pairs),
    )


def _requests(
    config: SeedLabelConfig, id_: str, text: str, topics: Sequence[Topic]
) -> Iterator[tuple[ChatRequest, tuple[str, ...]]]:
    """Yield each request with the topics in the order in which it lists them."""
    for sample in range(config.num_samples):
        first = sample * len(topics) // config.num_samples
        listed = [*topics[first:], *topics[:first]]
        place = hashlib.sha256(f"{config.seed} label {id_} {sample}".encode()).digest()
        for model in config.models:
            for prompt in config.prompts:
                request = ChatRequest(
                    model=model,
                    messages=(prompt.message(listed, text),),
                    max_tokens=config.max_tokens,
                    temperature=config.temperature,
                    seed=int.from_bytes(place[:4]) >> 1,
                )
                yield request, tuple(topic.name for topic in listed)


def write_labels(
    config: SeedLabelConfig, jobs: Sequence[Job], outcomes: Mapping[str, Outcome], store: ResponseStore, out: Path
) -> Metrics:
    """Write labels, examples and responses in the order of the jobs, and return the figures of the stage.

    `outcomes` says by key what became of each request without an answer.
    """
    examples: list[Example] = []
    rows: list[dict[str, object]] = []
    counts = Counter[str]()
    with (
        tables.Writer(out / tables.RESPONSES_FILE, tables.RESPONSES) as responses,
        tables.Writer(out / TIMING / tables.RESPONSES_FILE, tables.RESPONSES) as raw_responses,
    ):
        for job in jobs:
            exchanges = [store.find(request.key) for request in job.requests]
            found = _verdict(job, exchanges, outcomes, config.min_agreement)
            rows.append(_label(job, found))
            counts.update({found.status: 1, "answers": found.answers, "named": sum(found.votes.values())})
            if found.status == "agreed":
                examples.append(replace(job.example, topic=found.topic))
            stored = [exchange for exchange in exchanges if exchange is not None]
            counts["prompt"] += sum(exchange.prompt_tokens for exchange in stored)
            counts["completion"] += sum(exchange.completion_tokens for exchange in stored)
            responses.write_rows(response_row(e, stable_body(e.response)) for e in stored)
            raw_responses.write_rows(response_row(e, e.response.decode("utf-8", "replace")) for e in stored)
    tables.write(out / tables.LABELS_FILE, tables.table_of(rows, tables.LABELS), tables.LABELS)
    write_examples(out / EXAMPLES_FILE, examples)
    by_topic = Counter(example.topic for example in examples)
    return {
        "documents": len(jobs),
        "requests": len(jobs) * config.num_requests,
        "answers": counts["answers"],
        "answers_without_topic": counts["answers"] - counts["named"],
        "examples": len(examples),
        **{status: counts[status] for status in ("agreed", "disagreed", "refused", "not_answered", "not_asked")},
        "prompt_tokens": counts["prompt"],
        "completion_tokens": counts["completion"],
        "spent_tokens": store.spent_tokens(),  # failed attempts included
        **{f"examples: {topic}": count for topic, count in sorted(by_topic.items())},
    }


def _verdict(
    job: Job, exchanges: Sequence[Exchange | None], outcomes: Mapping[str, Outcome], min_agreement: float
) -> Verdict:
    named = [
        parse_topic(_text(exchange), listed)
        for exchange, listed in zip(exchanges, job.listed, strict=True)
        if exchange is not None
    ]
    unsent = sum(request.key in outcomes and outcomes[request.key].ending == "budget" for request in job.requests)
    return verdict(named, len(job.requests), len(job.requests) - unsent, min_agreement)


def _label(job: Job, found: Verdict) -> dict[str, object]:
    return {
        "id": job.example.id,
        "source": job.source,
        "language": job.example.language,
        "topic": found.topic,
        "votes": json.dumps(found.votes, ensure_ascii=False),
        "answers": found.answers,
        "agreement": found.agreement,
        "status": found.status,
        "requests": [request.key for request in job.requests],
    }


def _text(exchange: Exchange) -> str:
    answer = parse_answer(exchange.response)
    assert isinstance(answer, Answer), "only answers are stored as such"
    return answer.text
