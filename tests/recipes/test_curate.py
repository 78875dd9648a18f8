import json
from pathlib import Path

import pytest

from regraft.cli import main
from regraft.core import StepFailed, Store, latest_run
from regraft.core import run as run_steps
from regraft.corpus import tables
from regraft.corpus.tokens import TokenStore
from regraft.lm.tiny import TinyConfig, make_tiny
from regraft.recipes import SAMPLES
from tests.core.stages import FailConfig, fail_halfway
from tests.corpus.given import make

CHAPTER = (
    "The package manager keeps a list of all files that belong to a package, and of the packages that this one needs. "
    "When you install a package with it, the manager looks for those packages first, and it asks you before it removes "
    "anything that is in the way of what you have asked for. That is why it is so rarely wrong to trust it with the "
    "upgrade of a machine that has been running for years."
)


def run(tmp_path: Path, *more: str) -> Store:
    assert main(["run", "curate", "--store", str(tmp_path / "store"), "--cache", str(tmp_path / "cache"), *more]) == 0
    return Store(tmp_path / "store")


def rows(store: Store, step: str, folder: str = "documents") -> list[dict[str, str]]:
    schema = tables.DOCUMENTS if folder == "documents" else tables.REJECTS
    return tables.read_shards(store.resolve(step).path, folder, schema).to_pylist()


def test_the_sample_pages_become_a_corpus_and_each_drop_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = run(tmp_path, "--sample", "40")
    printed = capsys.readouterr().out
    assert "corpus/filtered: " in printed
    assert len(rows(store, "corpus/raw")) == 40
    assert {row["language"] for row in rows(store, "corpus/clean")} == {"en", "zh"}
    assert not any("<html" in row["text"] for row in rows(store, "corpus/clean"))
    for reject in rows(store, "corpus/filtered", "rejects"):
        assert reject["reason"] in printed
    record = latest_run(store)
    assert record is not None
    assert list(record.steps)[-1] == "statistics"
    assert main(["rejects", "corpus/filtered", "--examples", "1", "--store", str(store.root)]) == 0
    assert capsys.readouterr().out.startswith("corpus/filtered: ")


def test_json_lines_are_cleaned_and_tokenized(tmp_path: Path) -> None:
    question = "Which command of the package manager removes a package with the files that configure it for good?"
    contacts = " Write to jane.roe@mail-example-company.com if it does not work for you on your machine."
    texts = [CHAPTER, CHAPTER + contacts, f"{CHAPTER[::-1]}", f"{CHAPTER.replace('package', 'module')} {question}", ""]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"body": text, "n": n}) + "\n" for n, text in enumerate(texts)) + "{broken\n")
    (tmp_path / "items.jsonl").write_text(json.dumps({"question": question, "answer": "purge"}) + "\n")
    model = make(make_tiny.step("model", TinyConfig()), tmp_path)
    store = run(
        tmp_path,
        *("--input", str(data), "--format", "jsonl", "--text", "body", "--source", "manual"),
        *("--benchmarks", str(tmp_path / "items.jsonl"), "--benchmark-text", "question"),
        *("--tokenizer", str(model.path / "model"), "--separator", ""),
    )
    assert [row["reason"] for row in rows(store, "corpus/raw", "rejects")] == ["empty", "broken_json"]
    assert [row["reason"] for row in rows(store, "corpus/decontaminated", "rejects")] == ["contaminated"]
    (kept,) = rows(store, "corpus/clean")
    assert "<EMAIL>" in kept["text"]
    assert kept["source"] == "manual"
    tokens = TokenStore.open(store.resolve("tokens").path)
    assert len(tokens) == 1
    assert store.resolve("statistics").manifest.metrics["tokens"] == len(tokens.tokens)


def test_wrong_calls_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "curate", "--store", str(tmp_path), "--input", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err
    data = str(SAMPLES / "debian" / "en")
    assert main(["run", "curate", "--store", str(tmp_path), "--input", data, "--format", "warc"]) == 2
    assert "no file in" in capsys.readouterr().err
    assert main(["plan", "curate", "--store", str(tmp_path), "--language", "chinese"]) == 2
    assert "language is 'chinese'; give its code in ISO 639, such as 'en' or 'zh'." in capsys.readouterr().err


def test_the_rejects_of_a_step_that_kept_nothing_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"body": CHAPTER}) + "\n")
    call = [
        "run",
        "curate",
        "--store",
        str(tmp_path / "store"),
        "--cache",
        str(tmp_path / "cache"),
        "--format",
        "jsonl",
    ]
    call += ["--input", str(data)]
    assert main([*call, "--text", "txet"]) == 1
    failed = capsys.readouterr().err
    assert "For instance, as missing_field: data.jsonl:1 (no text 'txet' in ['body'])" in failed
    folder = next((tmp_path / "store").glob(".failed-ingest-*"))
    for target in ("", "corpus/raw", str(folder), folder.name.removeprefix(".failed-")):
        assert main(["rejects", *([target] if target else []), "--store", str(tmp_path / "store")]) == 0
        shown = capsys.readouterr().out
        assert "corpus/raw failed" in shown
        assert "missing_field: 1 (100.0% of what was read)\n      data.jsonl:1 (no text 'txet'" in shown
    assert main([*call, "--text", "body"]) == 0
    capsys.readouterr()
    for target in ([], ["corpus/raw"]):
        assert main(["rejects", *target, "--store", str(tmp_path / "store")]) == 0
        assert capsys.readouterr().out.startswith("corpus/raw: 1 of 1 documents kept")


def test_a_band_of_difficulty_is_kept_by_a_model_or_without_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.jsonl"
    texts = [CHAPTER.replace("package", other) for other in ("module", "garden", "quorum", "letter")]
    data.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    model = make(make_tiny.step("model", TinyConfig()), tmp_path)
    call = ("--input", str(data), "--format", "jsonl", "--similarity", "1", "--no-lines", "--band", "0", "50")
    by_model = (*call, "--tokenizer", str(model.path / "model"))
    for more in (by_model, (*call, "--band-measure", "compression_ratio")):
        store = run(tmp_path, *more)
        assert len(rows(store, "corpus/band")) == 2
        assert {row["reason"] for row in rows(store, "corpus/band", "rejects")} == {"difficulty_band"}
    assert main(["plan", "curate", "--store", str(tmp_path / "store"), "--band", "0", "50"]) == 2
    assert "band_measure 'loss_per_byte' needs a model" in capsys.readouterr().err


def test_a_failure_without_rejects_hides_none_and_says_why_it_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = run(tmp_path, "--sample", "40", "--no-lines")
    with pytest.raises(StepFailed):
        run_steps([fail_halfway.step("bad", FailConfig())], store)
    capsys.readouterr()
    assert main(["rejects", "--store", str(store.root)]) == 0
    assert capsys.readouterr().out.startswith("corpus/raw: 40 of 40 documents kept")
    assert main(["rejects", "bad", "--store", str(store.root)]) == 1
    assert "bad failed before it rejected anything" in capsys.readouterr().err
