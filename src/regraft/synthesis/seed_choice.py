"""Choosing seeds out of a corpus: a function of the rule, the documents, their topics and what is known of a model."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from regraft.core import Artifact, ConfigError, Metrics
from regraft.corpus import tables
from regraft.corpus.document import Document
from regraft.corpus.rows import with_topics
from regraft.synthesis.disciplines import Routes
from regraft.synthesis.draw import Draw, Item
from regraft.synthesis.evidence import Evidence, read_evidence
from regraft.synthesis.seeds import Seed, SeedRule
from regraft.synthesis.snippets import is_in, snippets_of
from regraft.synthesis.weakness import Quiz, standard_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Seeds in the order in which they are to be used, and how they were come by."""

    seeds: tuple[Seed, ...]
    shares: dict[str, float]
    """Discipline -> its share of what was drawn while it had snippets left."""
    counts: Counter[str]
    """Pages of the language and sources by what told their discipline: `url`, `topic`, `otherwise`; and those that
    give no snippet, `no_discipline` and `no_prose`."""

    def metrics(self) -> Metrics:
        """Return the figures of a stage: pages by what told their discipline, drawn seeds and shares by discipline."""
        drawn = Counter(seed.discipline.name for seed in self.seeds)
        return {
            **{f"pages.{what}": count for what, count in sorted(self.counts.items())},
            **{f"seeds.{name}": drawn[name] for name in self.shares},
            **{f"share.{name}": round(share, 4) for name, share in self.shares.items()},
        }

    def write(self, path: Path) -> None:
        """Write one row a seed, in order, with the weight that it was drawn by and where that comes from."""
        rows = [
            {
                "id": seed.snippet.document,
                "start": seed.snippet.start,
                "end": seed.snippet.end,
                "discipline": seed.discipline.name,
                "told_by": seed.by,
                "topic": seed.topic,
                "loss": seed.loss,
                "failure": seed.failure,
                "weight": seed.weight,
                "share": self.shares[seed.discipline.name],
            }
            for seed in self.seeds
        ]
        tables.write(path, tables.table_of(rows, tables.SEEDS), tables.SEEDS)


def choose_seeds(
    rule: SeedRule, count: int, seed: int, corpus: Artifact, topics: Artifact | None, evaluations: Sequence[Artifact]
) -> Chosen:
    """Return at most `count` seeds, disciplines in turn by their shares.

    Raises:
        ConfigError: no page has a discipline and a snippet; a rule weighs and there are no evaluations, or the reverse;
            no page has a topic that was evaluated.
        SchemaError: the topics are not those of these documents.
    """
    pages = _Pages(rule, evaluations)
    draw = Draw[tuple[str, int]](count, seed, rule.weakness.floor if rule.weakness else 1.0)
    for document, topic in with_topics(corpus, topics):
        if pages.wanted(document):
            found = pages.seeds(document, topic, count=True)
            places = [(one, (one.snippet.document, one.snippet.start)) for one in found]
            items = [Item(f"{place[0]} {place[1]}", one.weight, place) for one, place in places]
            if found:
                draw.offer(found[0].discipline.name, items)
    drawn = [place for _, place in draw.drawn()]
    if not drawn:
        raise ConfigError(_nothing(rule, corpus, pages.counts))
    chosen = {document for document, _ in drawn}
    again = (pages.seeds(d, topic) for d, topic in with_topics(corpus, topics) if d.id in chosen)
    seeds = {(one.snippet.document, one.snippet.start): one for found in again for one in found}
    if rule.weakness and all(math.isnan(one.loss) and math.isnan(one.failure) for one in seeds.values()):
        raise ConfigError(
            f"No page has a topic of the evaluations, which are {sorted(pages.evidence.losses)}. Give the input "
            "`topics` by the classifier that the held-out text was labelled with."
        )
    return Chosen(seeds=tuple(seeds[place] for place in drawn), shares=draw.shares, counts=pages.counts)


class _Pages:
    """Makes seeds of pages, weighed by what is known of a model."""

    def __init__(self, rule: SeedRule, evaluations: Sequence[Artifact]) -> None:
        if (rule.weakness is None) != (not evaluations):
            has, lacks = ("weakness", "the input `evaluations`") if rule.weakness else ("evaluations", "weakness")
            raise ConfigError(
                f"Seeds have {has}, but not {lacks}. Give both to draw where a model is weak, or neither."
            )
        self.rule, self.routes, self.counts = rule, Routes(rule.disciplines), Counter[str]()
        self.evidence = read_evidence(evaluations, rule.language) if evaluations else Evidence()
        self.scores = standard_scores(self.evidence.losses)
        self.quiz = Quiz(self.evidence.quiz, rule.weakness.prior) if rule.weakness and self.evidence.quiz else None

    def wanted(self, document: Document) -> bool:
        """Return whether a page is of the language and the sources."""
        rule = self.rule
        return document.language == rule.language and (not rule.sources or document.source in rule.sources)

    def seeds(self, document: Document, topic: str, *, count: bool = False) -> list[Seed]:
        """Return the seeds of a page, and count it by what told its discipline or why it has none."""
        url = str(json.loads(document.meta).get("url", ""))
        discipline, by = self.routes.discipline_of(url, topic) or (self.rule.unknown, "otherwise")
        found: list[Seed] = []
        for snippet in snippets_of(document.id, document.text, self.rule.snippets) if discipline else ():
            if discipline and is_in(snippet.text, self.rule.language):
                found.append(self._weighed(Seed(snippet=snippet, discipline=discipline, by=by, url=url, topic=topic)))
        if count:
            self.counts["no_discipline" if discipline is None else by if found else "no_prose"] += 1
        return found

    def _weighed(self, seed: Seed) -> Seed:
        if self.rule.weakness is None:
            return seed
        loss = self.evidence.losses.get(seed.topic, math.nan)
        failure = self.quiz.failure(seed.snippet.text) if self.quiz else math.nan
        score = self.scores.get(seed.topic, 0.0) + (self.quiz.score(failure) if self.quiz else 0.0)
        return replace(seed, loss=loss, failure=failure, weight=self.rule.weakness.weight(score))


def _nothing(rule: SeedRule, corpus: Artifact, counts: Counter[str]) -> str:
    where = f"language {rule.language!r}" + (f" and the sources {list(rule.sources)}" if rule.sources else "")
    return (
        f"{corpus.id} has {counts.total()} documents of {where}. {counts['no_discipline']} have no discipline by "
        "address or topic (seeds.otherwise can name one for them), "
        f"and {counts['no_prose']} have no snippet of {rule.snippets.min_characters} characters in it (seeds.snippets)."
    )
