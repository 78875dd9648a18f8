"""Topic classifiers on documents labelled by reading: the 11 English and 11 Chinese topics of the paper.

python -m bench.topics --work bench/.work/topics --encoder "MiniLM (en)=FOLDER" --probe SmolLM2-135M=FOLDER

`--encoder` fine-tunes the model of a Transformers folder, `--probe` trains a linear layer on its frozen hidden states;
` (en)` in the name keeps it to a language. Settings were chosen by cross-validation of seeds, never on the test set.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench.results import Result, Table
from regraft.core import Artifact, Execution, RawFiles, Store, run
from regraft.corpus import tables
from regraft.lm.backbone import BackboneConfig, import_backbone
from regraft.mixture.topics.classifier import Classifier, Means
from regraft.mixture.topics.encoder import FineTunedEncoder
from regraft.mixture.topics.fasttext import FastText
from regraft.mixture.topics.learning import TOPICS_FILE, folder_of
from regraft.mixture.topics.ngrams import NgramLinear
from regraft.mixture.topics.taxonomy import SYNE_EN, SYNE_ZH, Taxonomy
from regraft.mixture.topics.train import TopicClassifierConfig, train_topic_classifier
from regraft.recipes import SAMPLES

CLAIM = (
    "Accuracy, precision and recall of each classifier on at least 300 documents labelled by reading, in both "
    "languages, with intervals, calibration and throughput."
)
TAXONOMIES = {"en": SYNE_EN, "zh": SYNE_ZH}
SECONDS = 5.0
"""At least so long is predicted, again and again, for the throughput."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A classifier to be measured."""

    name: str
    classifier: Classifier
    encoder: Path | None = None
    folds: int = 0

    @property
    def languages(self) -> tuple[str, ...]:
        """All, but those that the name does not mention if it mentions one."""
        named = tuple(language for language in TAXONOMIES if f"({language})" in self.name)
        return named or tuple(TAXONOMIES)


def sides(given: argparse.Namespace) -> Iterator[Side]:
    """Yield the classifiers that need no weights, then those of the command line."""
    yield Side(name="n-grams", classifier=NgramLinear(), folds=5)
    yield Side(name="fastText", classifier=FastText(), folds=5)
    for pair in given.encoder:
        name, _, folder = pair.partition("=")
        tuned = FineTunedEncoder(max_tokens=given.max_tokens, epochs=given.epochs)
        yield Side(name=f"{name}, fine-tuned", classifier=tuned, encoder=Path(folder))
    for pair in given.probe:
        name, _, folder = pair.partition("=")
        probe = FineTunedEncoder(max_tokens=given.max_tokens, epochs=100, head_learning_rate=1e-2, frozen=True)
        yield Side(name=f"{name}, linear probe", classifier=probe, encoder=Path(folder))


def made(side: Side, given: argparse.Namespace) -> Artifact:
    """Return the trained and measured classifier."""
    encoder = side.encoder and import_backbone.step(
        "encoder", BackboneConfig(folder=RawFiles(root=str(side.encoder.absolute()), pattern="*"))
    )
    files = {name: _in_languages(given, f"{name}.jsonl", side.languages) for name in ("seeds", "test")}
    config = TopicClassifierConfig(
        taxonomies=tuple(TAXONOMIES[language] for language in side.languages),
        classifier=side.classifier,
        seeds=(RawFiles(root=str(files["seeds"])),),
        test=RawFiles(root=str(files["test"])),
        folds=side.folds,
    )
    store = Store(given.work / "store")
    step = train_topic_classifier.step("classifier", config, encoder=encoder)
    return store.resolve(run([step], store, Execution(workers=1)).steps["classifier"])


def _in_languages(given: argparse.Namespace, name: str, languages: Sequence[str]) -> Path:
    path: Path = given.work / "-".join(languages) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [row for row in _rows(given.examples / name) if row["language"] in languages]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path.absolute()


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def throughput(side: Side, artifact: Artifact, language: str, texts: Sequence[str]) -> float:
    """Return the documents a second of prediction alone, the classifier opened."""
    predictor = side.classifier.open(folder_of(artifact.path, language), Means())
    predictor.predict(texts[:8])
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        predictor.predict(texts)
        count += len(texts)
    return count / (time.perf_counter() - start)


def defensible(side: Side, artifact: Artifact, language: str, test: Sequence[Mapping[str, str]]) -> float:
    """Return how often a classifier finds the topic or the second one (`also`) that could be defended."""
    topics = json.loads(artifact.file(TOPICS_FILE).read_text("utf-8"))[language]
    predictor = side.classifier.open(folder_of(artifact.path, language), Means())
    best: list[int] = predictor.predict([row["text"] for row in test]).argmax(axis=1).tolist()
    return fmean(topics[index] in (row["topic"], row["also"]) for row, index in zip(test, best, strict=True))


def summary(side: Side, artifact: Artifact, language: str, test: Sequence[Mapping[str, str]]) -> list[object]:
    """Return the row of a classifier and language in the main table."""
    rows = _measures(artifact, language)
    found = {(r["examples"], r["measure"]): r for r in rows if not r["topic"]}
    accuracy, error = found["test", "accuracy"], found["test", "expected_calibration_error"]
    seeds = found.get(("seeds", "accuracy"))
    recall = fmean(r["value"] for r in rows if r["examples"] == "test" and r["measure"] == "recall" and r["n"])
    return [
        side.name,
        language,
        accuracy["n"],
        f"{accuracy['value']:.1%} [{accuracy['low']:.1%}, {accuracy['high']:.1%}]",
        f"{defensible(side, artifact, language, test):.1%}",
        f"{recall:.1%}",
        f"{seeds['value']:.1%}" if seeds else "",
        f"{error['value']:.3f}",
        throughput(side, artifact, language, [row["text"] for row in test]),
    ]


def by_topic(found: dict[str, tuple[Side, Artifact]], language: str, taxonomy: Taxonomy) -> Table:
    """Return precision and recall of each topic by each classifier, with the interval of the recall."""
    own = {name: pair for name, pair in found.items() if language in pair[0].languages}
    cells = {
        (name, r["measure"], r["topic"]): r
        for name, (_, artifact) in own.items()
        for r in _measures(artifact, language)
        if r["examples"] == "test"
    }
    lines: list[list[object]] = []
    for topic in taxonomy.names:
        line: list[object] = [
            topic,
            next((cells[n, "recall", topic]["n"] for n in own if (n, "recall", topic) in cells), 0),
        ]
        for name in own:
            for measure in ("precision", "recall"):
                row = cells.get((name, measure, topic))
                line.append(f"{row['value']:.0%} [{row['low']:.0%}, {row['high']:.0%}]" if row and row["n"] else "-")
        lines.append(line)
    header = ("topic", "documents", *(f"{name}: {measure}" for name in own for measure in ("precision", "recall")))
    return Table(title=f"By topic, {language}", header=header, rows=lines)


def mistakes(found: dict[str, tuple[Side, Artifact]], language: str) -> Table:
    """Return what each classifier takes for something else most often."""
    lines: list[list[object]] = []
    for name, (side, artifact) in found.items():
        if language in side.languages:
            pairs = tables.read(artifact.file(tables.CONFUSION_FILE), tables.CONFUSION).to_pylist()
            own = [
                p for p in pairs if (p["language"], p["examples"]) == (language, "test") and p["topic"] != p["found"]
            ]
            worst = sorted(own, key=lambda p: (-p["documents"], p["topic"]))[:5]
            lines += [[name, p["topic"], p["found"], p["documents"]] for p in worst]
    return Table(
        title=f"Most frequent mistakes, {language}", header=("classifier", "topic", "found", "documents"), rows=lines
    )


def calibration(found: dict[str, tuple[Side, Artifact]]) -> Table:
    """Return how often each classifier is right, by how sure it is."""
    rows = [
        [name, b["language"], f"{b['low']:.1f} to {b['high']:.1f}", b["documents"], b["confidence"], b["accuracy"]]
        for name, (_, artifact) in found.items()
        for b in tables.read(artifact.file(tables.RELIABILITY_FILE), tables.RELIABILITY).to_pylist()
        if b["examples"] == "test"
    ]
    header = ("classifier", "language", "probability", "documents", "mean probability", "right")
    return Table(title="Calibration", header=header, rows=rows)


def _measures(artifact: Artifact, language: str) -> list[dict[str, object]]:
    rows = tables.read(artifact.file(tables.TOPIC_MEASURES_FILE), tables.TOPIC_MEASURES).to_pylist()
    return [row for row in rows if row["language"] == language]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=Path, default=Path(str(SAMPLES / "topics_syne")))
    parser.add_argument("--work", type=Path, default=Path("bench/.work/topics"))
    parser.add_argument("--results", type=Path, default=Path("bench/results"))
    parser.add_argument("--encoder", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--probe", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--core", type=int, default=0, help="processor to run on")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=5)
    given = parser.parse_args()
    os.sched_setaffinity(0, {given.core})
    test, seeds = (_rows(given.examples / f"{name}.jsonl") for name in ("test", "seeds"))
    found: dict[str, tuple[Side, Artifact]] = {}
    rows: list[list[object]] = []
    for side in sides(given):
        artifact = made(side, given)
        found[side.name] = side, artifact
        for language in side.languages:
            own = [row for row in test if row["language"] == language]
            rows.append([*summary(side, artifact, language, own), artifact.manifest.provenance.seconds])
            print(rows[-1])
    header = ("classifier", "language", "test documents", "accuracy [95 %]", "first or second topic",
              "mean recall of topics", "seeds, 5 folds")  # fmt: skip
    main_table = Table(
        title="On the test set",
        header=(*header, "calibration error", "documents/s", "seconds of the training step"),
        rows=rows,
    )
    Result(
        name="topics",
        claim=CLAIM,
        verdict="; ".join(f"{row[0]}, {row[1]}: {row[3]}, {row[8]:,.0f} documents/s" for row in rows) + ".",
        corpus={
            "seeds": len(seeds),
            "test documents": len(test),
            "characters, mean": round(fmean(len(r["text"]) for r in test)),
        },
        settings={"cores": 1, "max_tokens of encoders": given.max_tokens, "epochs of fine-tuning": given.epochs},
        tables=[
            main_table,
            *(by_topic(found, language, taxonomy) for language, taxonomy in TAXONOMIES.items()),
            *(mistakes(found, language) for language in TAXONOMIES),
            calibration(found),
        ],
        notes=(
            "Labels and second topics are those of one labeller, a language model agent that read the documents; no "
            "human. How, and what is weak about it, stands in LABELLING.md beside them.",
            "Intervals are of the documents drawn, not of the labels. Seeds and test share some sources, so other text "
            "may be harder.",
            "Documents a second are of prediction alone, on the test documents, on one core.",
            "The seconds of the training step hold both languages, the measures and, without weights, five folds.",
        ),
        pythons=(Path(sys.executable),),
    ).write(given.results)


if __name__ == "__main__":
    main()
