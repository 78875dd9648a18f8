"""How well topics are told apart: a classifier's measures, and how far the labels of a model agree."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from regraft.core import Artifact, Kind
from regraft.corpus import tables
from regraft.report import charts
from regraft.report.collect import Evidence, rows
from regraft.report.sections import Figure, Section, Table
from regraft.report.words import LANGUAGES, percent, percent_interval

EXAMPLES = {"test": "test examples", "seeds": "seeds, by cross-validation"}


def classified(evidence: Evidence) -> Section:
    """Show how good the topic classifiers of a run are."""
    title, anchor = "Topics", "topics"
    made = evidence.of_kind(Kind.FILES)
    figures = [
        *_accuracy(evidence, made),
        *(figure for artifact in made for figure in _classifier(evidence, artifact)),
        *(figure for artifact in made for figure in _labels(evidence, artifact)),
    ]
    if not figures:
        return Section(title=title, anchor=anchor, missing="This run measures no classifier of topics.")
    return Section(title=title, anchor=anchor, figures=tuple(figures))


def _accuracy(evidence: Evidence, made: Sequence[Artifact]) -> Iterable[Figure]:
    """Yield the accuracy of every classifier in each language, side by side."""
    measured = [
        (artifact, row)
        for artifact in made
        for row in rows(artifact, tables.TOPIC_MEASURES_FILE, tables.TOPIC_MEASURES)
        if row["measure"] == "accuracy"
    ]
    if not measured:
        return
    data = [
        {
            "label": LANGUAGES.get(row["language"], row["language"] or "all languages"),
            "model": f"{evidence.name(artifact)}: {EXAMPLES.get(row['examples'], row['examples'])}",
            **{bound: row[bound] for bound in ("value", "low", "high")},
        }
        for artifact, row in measured
    ]
    yield Figure(
        title="Accuracy of topics by language",
        artifacts=tuple(dict.fromkeys(artifact.id for artifact, _ in measured)),
        caption="95 % intervals (Wilson). The labels are those that the recipe was given.",
        svg=charts.intervals(data, x="share of documents whose topic is found"),
    )


def _classifier(evidence: Evidence, artifact: Artifact) -> Iterable[Figure]:
    """Yield measures, confusion and calibration for each language and set of examples."""
    measures = rows(artifact, tables.TOPIC_MEASURES_FILE, tables.TOPIC_MEASURES)
    for language, examples in dict.fromkeys((row["language"], row["examples"]) for row in measures):
        place = {"language": language, "examples": examples}
        own = [row for row in measures if row.items() >= place.items()]
        pairs = [r for r in rows(artifact, tables.CONFUSION_FILE, tables.CONFUSION) if r.items() >= place.items()]
        bins = [r for r in rows(artifact, tables.RELIABILITY_FILE, tables.RELIABILITY) if r.items() >= place.items()]
        where = f", {LANGUAGES.get(language, language)}" if language else ""
        name = f"{evidence.name(artifact)}{where}: {EXAMPLES.get(examples, examples)}"
        total = {row["measure"]: row for row in own if not row["topic"]}
        accuracy, error = total["accuracy"], total["expected_calibration_error"]["value"]
        yield Figure(
            title=f"{name}, by topic",
            artifacts=(artifact.id,),
            caption=f"Accuracy {_share(accuracy)} of {accuracy['n']} documents, expected calibration error "
            f"{percent(error)}. 95 % intervals (Wilson).",
            table=_by_topic(own),
        )
        yield Figure(
            title=f"{name}, confusion",
            artifacts=(artifact.id,),
            caption="Shade: share of the documents of a topic, darkest for all. Counts are in the table.",
            svg=charts.grid(_shares(pairs), x="topic found", y="topic"),
            table=_confusion(pairs),
            folded=True,
        )
        yield Figure(title=f"{name}, calibration", artifacts=(artifact.id,), table=_calibration(bins), folded=True)


def _by_topic(measures: Iterable[dict[str, Any]]) -> Table:
    found = {(row["measure"], row["topic"]): row for row in measures}
    topics = dict.fromkeys(topic for _, topic in found if topic)
    lines = (
        (
            topic,
            str(found["recall", topic]["n"]),
            *(_share(found[measure, topic]) for measure in ("precision", "recall")),
        )
        for topic in topics
    )
    return Table(columns=("Topic", "Documents", "Precision", "Recall"), rows=tuple(lines))


def _confusion(pairs: Iterable[dict[str, Any]]) -> Table:
    counts = {(row["topic"], row["found"]): row["documents"] for row in pairs}
    topics = sorted({topic for pair in counts for topic in pair})
    lines = ((topic, *(str(counts.get((topic, found), "")) for found in topics)) for topic in topics)
    return Table(columns=("Topic, below; found, right", *topics), rows=tuple(lines))


def _shares(pairs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each topic the share of its documents in which each topic is found; all pairs, sorted."""
    counts = {(row["topic"], row["found"]): row["documents"] for row in pairs}
    topics = sorted({topic for pair in counts for topic in pair})
    totals = {topic: sum(counts.get((topic, found), 0) for found in topics) for topic in topics}
    return [
        {"x": found, "y": topic, "value": counts.get((topic, found), 0) / max(totals[topic], 1)}
        for topic in topics
        for found in topics
    ]


def _calibration(bins: Iterable[dict[str, Any]]) -> Table:
    lines = (
        (
            f"{percent(row['low'])} to {percent(row['high'])}",
            str(row["documents"]),
            percent(row["confidence"]),
            percent(row["accuracy"]),
        )
        for row in bins
    )
    return Table(columns=("Probability of the topic found", "Documents", "Mean", "Right"), rows=tuple(lines))


def _labels(evidence: Evidence, artifact: Artifact) -> Iterable[Figure]:
    """Yield how far the answers of a model agree on the topics of the documents that it was asked about."""
    asked = rows(artifact, tables.LABELS_FILE, tables.LABELS)
    if not asked:
        return
    statuses = ("agreed", "disagreed", "refused", "not_answered", "not_asked")
    counts = Counter((row["topic"] or "none", row["status"]) for row in asked)
    topics = sorted({topic for topic, _ in counts})
    lines = ((topic, *(str(counts[topic, status]) for status in statuses)) for topic in topics)
    yield Figure(
        title=f"{evidence.name(artifact)}: labels by a model",
        artifacts=(artifact.id,),
        caption="Refused: no answer names a topic. Not answered: the endpoint would not. Not asked: no budget left.",
        table=Table(columns=("Topic", *(s.replace("_", " ").capitalize() for s in statuses)), rows=tuple(lines)),
    )


def _share(row: dict[str, Any]) -> str:
    if math.isnan(row["value"]):
        return "never found" if row["measure"] == "precision" else "none"
    return percent_interval(row["value"], row["low"], row["high"])
