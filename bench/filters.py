"""Quality filters against datatrove's: Gopher quality, Gopher repetition, C4 and FineWeb together, on English texts.

python -m bench.filters --corpus FOLDER --rounds 3 --cores 0
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backports import zstd

from bench.filtering import FILTERS, apart
from bench.results import Result, Table, timings
from bench.rounds import Side, in_turn, median_ratio, run
from bench.settings import PEERS, Settings, settings

CLAIM = (
    "Gopher quality, Gopher repetition, C4 and FineWeb together run at least 10 times as fast as in datatrove, and at "
    "least 97 % of the verdicts on English documents are the same."
)
RULES = {
    ("", "top_2_gram"): "an n-gram that occurs once is no repetition",
    ("", "top_3_gram"): "an n-gram that occurs once is no repetition",
    ("", "top_4_gram"): "an n-gram that occurs once is no repetition",
    ("", "too_few_sentences"): "lines that end with a curved quotation mark stay; sentence ends",
    ("few_sentences", ""): "sentence ends",
    ("phrase", ""): "a line that stays only here has the phrase",
    ("num_words", ""): "a bullet is a word there, a mark here",
    ("", "gopher_enough_stop_words"): "stop words in capitals count here",
    ("", "dup_line_char_frac"): "space around a line is no part of it here",
    ("", "gopher_too_many_bullets"): "empty lines count as lines there",
    ("bullet_lines", ""): "empty lines are no lines here",
    ("ellipsis_lines", ""): "empty lines are no lines here",
    ("repeated_lines", ""): "space around a line is no part of it here",
    ("", "char_dup_ratio"): "space around a line is no part of it here",
    ("short_lines", ""): "space around a line is no part of it here",
    ("", "short_line_ratio"): "space around a line is no part of it here",
    ("line_punctuation", ""): "space around a line is no part of it here",
    ("", "line_punct_ratio"): "space around a line is no part of it here",
}
"""Why verdicts differ that do not come from the split into words: our reason, theirs."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that one side keeps and the other drops."""

    filter_: str
    ours: str
    theirs: str
    cause: str
    excerpt: str


def main() -> None:
    given = settings(__doc__)
    texts = given.work / "english.jsonl"
    counts = write_english(given.corpus, texts)
    found = in_turn(sides(given, texts), given.rounds, given.cores, given.work)
    together = {name: lines_of(given.work / name / "verdicts.jsonl") for name in found}
    peer = lines_of(peer_says(given, texts, "apart"))
    own = [apart(row["text"]) for row in lines_of(texts)]
    differing = differences(given, texts, own, peer)
    same = agreement(together["regraft"], together["datatrove"])
    times = median_ratio(found["datatrove"], found["regraft"])
    Result(
        name="filters",
        claim=CLAIM,
        verdict=f"{times:.1f} times as fast (median of the rounds); {same:.2%} of {len(own):,} verdicts are the same.",
        corpus=counts,
        settings=given.shown(),
        tables=[
            timings(found, counts["bytes"] / 1e6, against="regraft"),
            of_filters(own, peer, together),
            of_causes(differing),
        ],
        notes=(
            "Both read the same JSON lines and write a verdict a document; the filters run in the order named, each on "
            "what the one before left, with their defaults. A verdict is to keep or to drop, whatever the reason.",
            "A difference comes from the split into words if our filter agrees with theirs once given their words.",
        ),
        pythons=given.pythons,
    ).write(given.results)


def write_english(corpus: Path, texts: Path) -> Mapping[str, Any]:
    """Write the English documents of a corpus, and return their counts."""
    documents = size = 0
    with texts.open("w", encoding="utf-8") as out:
        for path in sorted((corpus / "text").glob("*.jsonl.zst")):
            with zstd.open(path, "rt", encoding="utf-8") as lines:
                for row in map(json.loads, lines):
                    if row["language"] == "en":
                        out.write(json.dumps({"text": row["text"]}) + "\n")
                        documents, size = documents + 1, size + len(row["text"].encode())
    return {"documents": documents, "bytes": size, "language": "en"}


def sides(given: Settings, texts: Path) -> list[Side]:
    def asked(out: Path) -> list[str | Path]:
        return ["--texts", texts, "--out", out / "verdicts.jsonl"]

    return [
        Side(name="regraft", command=lambda out: [sys.executable, "-m", "bench.filtering", *asked(out)]),
        Side(name="datatrove", command=lambda out: [given.peer, PEERS / "datatrove_filters.py", *asked(out)]),
    ]


def peer_says(given: Settings, texts: Path, what: str) -> Path:
    """Return the file with what datatrove says of some texts, not timed."""
    out = given.work / f"{what}.jsonl"
    command = [given.peer, PEERS / "datatrove_filters.py", "--texts", texts, "--out", out, "--what", what]
    run(command, given.cores, given.work / f"{what}.log", {})
    return out


def lines_of(path: Path) -> list[Any]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def agreement(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """Return the share of documents that both keep or both drop."""
    return sum(bool(a) == bool(b) for a, b in zip(ours, theirs, strict=True)) / len(ours)


def differences(
    given: Settings, texts: Path, own: Sequence[Mapping[str, str]], peer: Sequence[Mapping[str, str]]
) -> list[Difference]:
    """Return every difference of one filter on one document, with its cause."""
    rows = [
        (row["text"], a, b)
        for row, a, b in zip(lines_of(texts), own, peer, strict=True)
        if any(bool(a[name]) != bool(b[name]) for name in FILTERS)
    ]
    few = texts.with_name("differing.jsonl")
    few.write_text("".join(json.dumps({"text": text}) + "\n" for text, _, _ in rows), "utf-8")
    found: list[Difference] = []
    for (text, a, b), words in zip(rows, lines_of(peer_says(given, few, "words")), strict=True):
        again = apart(text, words)
        for name in FILTERS:
            if bool(a[name]) != bool(b[name]):
                split = bool(again[name]) == bool(b[name])
                cause = "split into words" if split else RULES.get((a[name], b[name]), "not explained")
                found.append(Difference(name, a[name], b[name], cause, " ".join(text.split())[:60]))
    return found


def of_filters(
    own: Sequence[Mapping[str, str]], peer: Sequence[Mapping[str, str]], together: Mapping[str, Sequence[str]]
) -> Table:
    columns = {name: ([row[name] for row in own], [row[name] for row in peer]) for name in FILTERS}
    columns["together"] = (list(together["regraft"]), list(together["datatrove"]))
    rows = [
        [name, f"{agreement(ours, theirs):.2%}", sum(map(bool, ours)), sum(map(bool, theirs))]
        for name, (ours, theirs) in columns.items()
    ]
    return Table(title="Verdicts", header=("filter", "alike", "regraft drops", "datatrove drops"), rows=rows)


def of_causes(differing: Sequence[Difference]) -> Table:
    kinds = Counter(replace(difference, excerpt="") for difference in differing)
    examples = {replace(difference, excerpt=""): difference.excerpt for difference in reversed(differing)}
    rows = [
        [
            kind.filter_,
            kind.ours or "keeps",
            kind.theirs or "keeps",
            kind.cause,
            count,
            examples[kind].replace("|", "/"),
        ]
        for kind, count in kinds.most_common()
    ]
    header = ("filter by itself", "regraft", "datatrove", "cause", "documents", "one of them begins")
    return Table(title="Why verdicts differ", header=header, rows=rows)


if __name__ == "__main__":
    main()
