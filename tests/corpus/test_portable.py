import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest

from regraft.corpus.document import Document
from regraft.corpus.portable import packed, unpacked


def load(path: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module.Own


def loaded_elsewhere(data: bytes, folder: Path) -> str:
    code = "import sys; from regraft.corpus.portable import unpacked; print(unpacked(sys.stdin.buffer.read()))"
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True, cwd=folder)
    return done.stdout.decode().strip()


@pytest.mark.parametrize("name", ["own_module", "colorsys"])
def test_a_class_of_a_file_is_known_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Also when another module has the name of the file: `colorsys` is in the standard library."""
    path = tmp_path / f"{name}.py"
    path.write_text("class Own:\n    def __repr__(self): return 'mine'\n")
    own = load(path, monkeypatch)
    path.unlink()
    assert loaded_elsewhere(packed([own()]), tmp_path) == "[mine]"
    assert not cloudpickle.list_registry_pickle_by_value(), "the setting is put back"


def test_modules_are_looked_for_where_the_sender_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside.py").write_text("class Own:\n    def __repr__(self): return 'found'\n")
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module("beside").Own
    data = packed(own())
    assert loaded_elsewhere(data, Path("/")) == "found"
    assert b"found" not in data, "an importable class goes by name"
    monkeypatch.delitem(sys.modules, "beside")


def test_what_is_installed_goes_by_name() -> None:
    document = Document(id="a", text="text", source="s")
    assert unpacked(packed(document)) == document
    assert len(packed(document)) < 1000 + len(pickle.dumps(sys.path))
