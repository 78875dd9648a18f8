"""The kernel of `train_topic_classifier`: seeds into classifiers, and labelled documents into measures."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from regraft.core import ConfigError, Context, Metrics
from regraft.corpus import tables
from regraft.mixture.topics import measures
from regraft.mixture.topics.cautions import cautions
from regraft.mixture.topics.classifier import DECIMALS, Classifier, Means
from regraft.mixture.topics.examples import EXAMPLES_FILE, Example, in_language, named, read_examples
from regraft.mixture.topics.measures import Judged
from regraft.mixture.topics.taxonomy import OTHERS, Taxonomy, by_language
from regraft.mixture.topics.train import TopicClassifierConfig

TOPICS_FILE = "topics.json"
"""Language -> the topics that its classifier knows, in the order of its probabilities."""


def folder_of(artifact: Path, language: str) -> Path:
    """Return where the classifier of a language lies; no language is named `_`."""
    return artifact / "classifier" / (language or "_")


def learn(config: TopicClassifierConfig, ctx: Context) -> Metrics:
    """Write classifiers and measures, and return the figures of the stage."""
    seeds, test = _seeds(config, ctx), _test(config, ctx)
    if shared := {example.text for example in test} & {seed.text for seed in seeds}:
        raise ConfigError(f"{len(shared)} test examples are seeds too, such as {min(shared)[:60]!r}; leave them out.")
    encoder = ctx.optional("encoder")
    means = Means(
        encoder=encoder.file("model") if encoder else None,
        device=ctx.execution.device,
        threads=ctx.execution.workers,
    )
    languages = by_language(config.taxonomies)
    topics: dict[str, list[str]] = {}
    judged: dict[tuple[str, str], list[Judged]] = {}  # by language and examples
    for language, taxonomy in languages.items():
        own = in_language(seeds, language, list(languages))
        topics[language] = known_topics(taxonomy, own)
        folder = folder_of(ctx.out, language)
        fit(config.classifier, own, topics[language], folder, means)
        if config.folds:
            found = cross_validated(config, own, topics[language], ctx.scratch / "fold", means)
            judged[language, "seeds"] = list(found)
        held_out = in_language(test, language, list(languages))
        if held_out:
            judged[language, "test"] = judge(config, folder, topics[language], held_out, means)
    (ctx.out / TOPICS_FILE).write_text(json.dumps(topics, ensure_ascii=False), "utf-8")
    _write(judged, ctx.out)
    for (language, examples), found in judged.items():
        for caution in cautions(found, config.threshold):
            ctx.log.warning("topics%s, judged on %s: %s", f" of {language!r}" if language else "", examples, caution)
    return {"seeds": len(seeds), "test_examples": len(test), **_metrics(judged)}


def known_topics(taxonomy: Taxonomy, seeds: Sequence[Example]) -> list[str]:
    """Return the topics that have seeds, in the order of the taxonomy, `Others` last if it is none of it.

    Raises:
        ConfigError: there are fewer than two.
    """
    counts = Counter(seed.topic for seed in seeds)
    known = [topic for topic in dict.fromkeys((*taxonomy.names, OTHERS)) if counts[topic]]
    if len(known) < 2:
        language = f" in {taxonomy.language!r}" if taxonomy.language else ""
        raise ConfigError(f"A classifier needs seeds of two topics{language}; there are {dict(counts) or 'none'}.")
    return known


def fit(classifier: Classifier, seeds: Sequence[Example], topics: Sequence[str], folder: Path, means: Means) -> None:
    """Train on the seeds into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    labels = [topics.index(seed.topic) for seed in seeds]
    classifier.fit([seed.text for seed in seeds], labels, len(topics), folder, means)


def judge(
    config: TopicClassifierConfig, folder: Path, topics: Sequence[str], examples: Sequence[Example], means: Means
) -> list[Judged]:
    """Return what the classifier in a folder finds in labelled examples."""
    probabilities = config.classifier.open(folder, means).predict([e.text for e in examples]).round(DECIMALS)
    best: list[int] = probabilities.argmax(axis=1).tolist()
    return [
        Judged(
            topic=example.topic,
            found=topics[index] if row[index] >= config.threshold else OTHERS,
            best=topics[index],
            probability=float(row[index]),
        )
        for example, row, index in zip(examples, probabilities, best, strict=True)
    ]


def cross_validated(
    config: TopicClassifierConfig, seeds: Sequence[Example], topics: Sequence[str], folder: Path, means: Means
) -> Iterator[Judged]:
    """Yield what is found in each seed by a classifier that was trained on the other folds.

    Raises:
        ConfigError: a topic has fewer seeds than there are folds.
    """
    counts = Counter(seed.topic for seed in seeds)
    if min(counts.values()) < config.folds:
        raise ConfigError(f"{config.folds} folds need as many seeds of each topic; there are {dict(counts)}.")
    folds = stratified(seeds, config.folds, config.seed)
    for fold in range(config.folds):
        fit(config.classifier, [s for s, f in zip(seeds, folds, strict=True) if f != fold], topics, folder, means)
        left_out = [s for s, f in zip(seeds, folds, strict=True) if f == fold]
        yield from judge(config, folder, topics, left_out, means)


def stratified(seeds: Sequence[Example], folds: int, seed: int) -> list[int]:
    """Return the fold of each example: of every topic each fold has as many, give or take one."""
    order = sorted(range(len(seeds)), key=lambda i: (seeds[i].topic, _rank(seed, seeds[i]), i))
    found = [0] * len(seeds)
    for place, index in enumerate(order):
        found[index] = place % folds
    return found


def _rank(seed: int, example: Example) -> bytes:
    return hashlib.sha256(f"{seed} fold {example.text}".encode()).digest()


def _seeds(config: TopicClassifierConfig, ctx: Context) -> list[Example]:
    raw = [pair for given in config.seeds for pair in named(given.files, ctx.located)]
    made = [(f"{given.id}/{EXAMPLES_FILE}", given.file(EXAMPLES_FILE)) for given in ctx.inputs.get("seeds", ())]
    if not raw and not made:
        raise ConfigError("There is nothing to learn from: name files in `seeds`, or wire a step as input `seeds`.")
    return read_examples([*raw, *made], config.taxonomies)


def _test(config: TopicClassifierConfig, ctx: Context) -> list[Example]:
    return read_examples(named(config.test.files, ctx.located), config.taxonomies) if config.test else []


def _write(judged: dict[tuple[str, str], list[Judged]], out: Path) -> None:
    with (
        tables.Writer(out / tables.TOPIC_MEASURES_FILE, tables.TOPIC_MEASURES) as shares,
        tables.Writer(out / tables.CONFUSION_FILE, tables.CONFUSION) as pairs,
        tables.Writer(out / tables.RELIABILITY_FILE, tables.RELIABILITY) as bins,
    ):
        for (language, examples), found in judged.items():
            place = {"language": language, "examples": examples}
            shares.write_rows({**place, **asdict(figure)} for figure in measures.figures(found))
            pairs.write_rows({**place, "topic": a, "found": b, "documents": n} for a, b, n in measures.confusion(found))
            rows = ((asdict(bin_), bin_.n) for bin_ in measures.reliability(found))
            bins.write_rows({**place, **{k: v for k, v in row.items() if k != "n"}, "documents": n} for row, n in rows)


def _metrics(judged: dict[tuple[str, str], list[Judged]]) -> dict[str, float]:
    names = {"seeds": "cross_validated_accuracy", "test": "test_accuracy"}
    return {
        f"{names[examples]}{f'.{language}' if language else ''}": measures.figures(found)[0].value
        for (language, examples), found in judged.items()
    }
