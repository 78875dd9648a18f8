from pathlib import Path

import pytest

from regraft.cli import main

RECIPE = """
from regraft.curation.filters import chain
from regraft.curation.filters.chain import FilterConfig, GopherQuality

def own():
    {line}
    return []
"""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("FilterConfig(filtres=(GopherQuality(),))", "6: FilterConfig has no field 'filtres'; did you mean 'filters'?"),
        ("chain.FilterConfig(filtres=())", "6: FilterConfig has no field 'filtres'; did you mean 'filters'?"),
        ("FilterConfig(x=())", "6: FilterConfig has no field 'x'; it has filters, required_languages."),
        ("FilterConfig()", "6: TypeError: FilterConfig.__init__() missing 1 required keyword-only argument: 'filters'"),
        ("FilterConfig(filters=())", "6: filters is empty; leave the step out to keep everything."),
        ("FiltreConfig()", "6: NameError: name 'FiltreConfig' is not defined"),
        ("return [", "6: '[' was never closed."),
        ("import nowhere", "6: ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_an_error_in_a_recipe_names_file_and_line(
    line: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.py"
    file.write_text(RECIPE.format(line=line))
    assert main(["plan", f"{file}:own", "--store", str(tmp_path / "store")]) == 2
    assert f"regraft: {file}:{message}" in capsys.readouterr().err


def test_an_error_from_deeper_keeps_its_traceback(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(RECIPE.format(line="import json; json.loads('{')"))
    with pytest.raises(ValueError, match="Expecting property name"):
        main(["plan", f"{file}:own", "--store", str(tmp_path / "store")])


def test_an_error_of_a_shipped_recipe_has_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "curate", "--similarity", "7", "--store", str(tmp_path / "store")]) == 2
    assert capsys.readouterr().err.startswith("regraft: min_similarity")
