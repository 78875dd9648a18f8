import json
import subprocess
import sys
from pathlib import Path

import pytest

from regraft.cli import main
from regraft.core import Interrupted, Store
from tests.core.test_runner import recipe

RECIPE = '''
"""A recipe of a user."""
from regraft.core import Step
from tests.core.stages import FailConfig, NumbersConfig, SumConfig, add_up, fail_halfway, write_numbers


def numbers(*, count: int = 3, factor: float = 1.0, label: str = "sum", fail: bool = False) -> list[Step]:
    """Add up some numbers.

    Parameters
    ----------
    count
        How many numbers to write.
    """
    numbers = write_numbers.step("numbers", NumbersConfig(count=count, factor=factor))
    total = add_up.step("total", SumConfig(label=label), numbers=numbers)
    return [total, *([fail_halfway.step("bad", FailConfig())] if fail else [])]
'''


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(RECIPE)
    return f"{tmp_path / 'mine.py'}:numbers"


def regraft(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def test_run_makes_writes_a_report_and_then_makes_nothing(
    mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    assert regraft("run", mine, "--count", 5, "--store", store) == 0
    out = capsys.readouterr()
    assert "2 of 2 steps made" in out.out
    assert "total: make add_up-" in out.err
    assert (store / "reports" / "mine-numbers.html").read_text("utf-8").startswith("<!doctype html>")
    assert regraft("run", mine, "--count=5", "--store", store) == 0
    assert "0 of 2 steps made" in capsys.readouterr().out
    assert Store(store).resolve("total").file("sum.txt").read_text() == "sum 10.0\n"


def test_plan_says_what_and_why_and_makes_nothing(
    mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    regraft("run", mine, "--store", store)
    capsys.readouterr()
    before = sorted(p.name for p in store.iterdir())
    assert regraft("plan", mine, "--factor", 2, "--store", store) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("re-make   numbers")
    assert lines[0].endswith("3 numbers")
    assert lines[1].strip() == "because config.factor 1 -> 2"
    assert lines[-1] == "2 to re-make"
    assert sorted(p.name for p in store.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [("p.toml", 'count = 4\nlabel = "from file"\n'), ("p.yaml", "count: 4\nlabel: from file\n")],
)
def test_parameters_come_from_a_file_and_the_command_line_wins(mine: str, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    store = tmp_path / "store"
    assert regraft("run", mine, "--params", tmp_path / name, "--count", 2, "--store", store) == 0
    assert Store(store).resolve("total").file("sum.txt").read_text() == "from file 1.0\n"
    record = json.loads(next((store / ".runs").glob("*.json")).read_text())
    assert record["parameters"] == {"count": 2, "label": "from file"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cuont", "4"], "--cuont"),
        (["--count", "many"], "many"),
        (["--count", "4,5"], "4,5"),
        (["--params", "nowhere.toml"], "nowhere.toml does not exist"),
    ],
)
def test_a_wrong_parameter_is_a_clear_error_and_nothing_runs(
    mine: str, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert regraft("run", mine, *arguments, "--store", tmp_path / "store") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_wrong_key_or_type_in_a_file_is_the_same_error(
    mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.toml"
    (tmp_path / "list.yaml").write_text("- count\n")
    assert regraft("run", mine, "--params", tmp_path / "list.yaml", "--store", tmp_path / "store") == 2
    (tmp_path / "null.yaml").write_text("count:\n")
    assert regraft("run", mine, "--params", tmp_path / "null.yaml", "--store", tmp_path / "store") == 2
    assert "count is None" in capsys.readouterr().err
    for text in ("cuont = 4\n", 'count = "many"\n', "count = 4.5\n", "[count]\nx = 1\n", "count = \n"):
        file.write_text(text)
        assert regraft("run", mine, "--params", file, "--store", tmp_path / "store") == 2
        assert "p.toml" in capsys.readouterr().err


def test_a_parameter_that_is_an_option_of_the_command_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command would take it, and the recipe would run with its default."""
    (tmp_path / "own.py").write_text("def own(*, data: str = ''):\n    return []\n")
    assert main(["run", f"{tmp_path}/own.py:own", "--data", "here"]) == 2
    assert "['data'] are options of the command itself" in capsys.readouterr().err


def test_an_unknown_recipe_lists_those_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert regraft("run", "quickstrat", "--store", tmp_path) == 2
    assert "No shipped recipe is named 'quickstrat'; there are: curate, quickstart" in capsys.readouterr().err
    assert regraft("run", "nowhere.py:f", "--store", tmp_path) == 2
    assert "nowhere.py does not exist" in capsys.readouterr().err


def test_a_failing_step_exits_with_1_and_says_where(
    mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert regraft("run", mine, "--fail", "--store", tmp_path / "store") == 1
    assert "regraft: step 'bad' failed: RuntimeError: boom" in capsys.readouterr().err


def test_help_of_a_verb_needs_no_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("run", "plan"):
        assert regraft(verb, "--help") == 0
        assert "--store" in capsys.readouterr().out


def test_a_closed_pipe_is_no_error(mine: str, tmp_path: Path) -> None:
    command = f"{sys.executable} -m regraft plan {mine} --store {tmp_path / 's'} | head -c 1 >/dev/null"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_help_of_a_recipe_shows_its_parameters(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert regraft("run", mine, "--help") == 0
    out = capsys.readouterr().out
    assert "How many numbers to write." in out
    assert "--store" in out


def test_verify_finds_damage(mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    regraft("run", mine, "--store", store)
    assert regraft("verify", "--store", store) == 0
    Store(store).resolve("total").file("sum.txt").write_text("sum 4.0\n")
    assert regraft("verify", "--store", store) == 1
    out = capsys.readouterr().out
    assert "DAMAGED" in out
    assert "sum.txt has other bytes than were written" in out


def test_verify_names_what_it_cannot_read_and_goes_on(
    mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert regraft("verify", "--store", tmp_path / "nowhere") == 1
    assert "holds no artifacts" in capsys.readouterr().err
    store = tmp_path / "store"
    regraft("run", mine, "--store", store)
    (Store(store).resolve("numbers").path / "manifest.json").unlink()
    assert regraft("verify", "--store", store) == 1
    out = capsys.readouterr().out
    assert "it has no manifest.json" in out
    assert "ok      add_up-" in out


def test_report_without_a_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert regraft("report", "--store", tmp_path) == 1
    assert "holds no finished run" in capsys.readouterr().err


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert regraft("recipes") == 0
    assert "quickstart" in capsys.readouterr().out


def test_from_python(tmp_path: Path) -> None:
    import regraft

    assert list(regraft.run(recipe(), store=tmp_path).actions.values()) == ["make"] * 3


def test_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "daft", "pyarrow", "numpy", "sklearn", "lm_eval", "aiohttp", "altair")
    code = (
        "import sys; from regraft.cli import main\n"
        f"main(['--help']); print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(verb in done.stdout for verb in ("run", "plan", "report", "trace", "verify", "recipes"))


def test_a_signal_is_answered_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted("stopped after step 3 of 9, which is saved")

    monkeypatch.setattr("regraft.recipes.find.find_recipe", interrupted)
    assert main(["run", "quickstart"]) == 130
    assert "stopped after step 3 of 9, which is saved; the same command continues" in capsys.readouterr().err
