import json
import os
from pathlib import Path

import pytest

from regraft.core import ConfigError, Execution, RawFiles, Store, plan, run
from regraft.core.sources import Hashes, check_unchanged, pin
from tests.core.stages import CopyConfig, copy_files


def folder(root: Path) -> Path:
    (root / "sub").mkdir(parents=True)
    (root / "b.txt").write_text("b")
    (root / "sub" / "a.txt").write_text("a")
    (root / "c.html").write_text("c")
    return root


def fingerprint_of(data: Path, root: str, store: Path) -> str:
    step = copy_files.step("copy", CopyConfig(files=RawFiles(root=root, pattern="**/*.txt")))
    return plan([step], Store(store), Execution(data_root=data, cache=store))[0].fingerprint


def test_location_is_no_identity_and_content_is(tmp_path: Path) -> None:
    folder(tmp_path / "one" / "pages")
    folder(tmp_path / "two")
    here = fingerprint_of(tmp_path / "one", "pages", tmp_path / "s1")
    assert fingerprint_of(tmp_path, "two", tmp_path / "s2") == here
    assert fingerprint_of(Path("/"), str(tmp_path / "two"), tmp_path / "s3") == here
    (tmp_path / "two" / "b.txt").write_text("B")
    assert fingerprint_of(tmp_path, "two", tmp_path / "s2") != here


def test_hashes_are_cached_by_size_and_time(tmp_path: Path) -> None:
    file = folder(tmp_path / "d") / "b.txt"
    before = fingerprint_of(tmp_path, "d", tmp_path / "s")
    stat = file.stat()
    file.write_text("x")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fingerprint_of(tmp_path, "d", tmp_path / "s") == before  # same size and time: not read again
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert fingerprint_of(tmp_path, "d", tmp_path / "s") != before


def test_a_stage_finds_its_pinned_files(tmp_path: Path) -> None:
    folder(tmp_path / "d")
    step = copy_files.step("copy", CopyConfig(files=RawFiles(root="d", pattern="**/*.txt")))
    store = Store(tmp_path / "store")
    done = run([step], store, Execution(data_root=tmp_path))
    copied = store.resolve(done.steps["copy"])
    assert [f.path for f in copied.manifest.files] == ["b.txt", "sub/a.txt"]
    assert str(tmp_path) not in (copied.path / "manifest.json").read_text().replace(
        copied.manifest.provenance.command_line, ""
    )


@pytest.mark.parametrize(
    ("root", "pattern", "message"), [("none", "*", "does not exist"), ("d", "*.pdf", r"no file in .* matches '\*.pdf'")]
)
def test_missing_files_are_a_clear_error(tmp_path: Path, root: str, pattern: str, message: str) -> None:
    folder(tmp_path / "d")
    step = copy_files.step("copy", CopyConfig(files=RawFiles(root=root, pattern=pattern)))
    with pytest.raises(ConfigError, match=rf"step 'copy': config.files: .*{message}"):
        plan([step], Store(tmp_path / "s"), Execution(data_root=tmp_path))


def test_a_file_that_changes_after_the_plan_is_refused(tmp_path: Path) -> None:
    folder(tmp_path / "d")
    steps = [copy_files.step("copy", CopyConfig(files=RawFiles(root="d", pattern="**/*.txt")))]
    execution = Execution(data_root=tmp_path, cache=tmp_path / "cache")
    located = plan(steps, Store(tmp_path / "s"), execution)[0].located
    check_unchanged(located, Hashes(execution.hashes))
    (tmp_path / "d" / "b.txt").write_text("changed")
    with pytest.raises(ConfigError, match=r"b\.txt was changed since this run was planned"):
        check_unchanged(located, Hashes(execution.hashes))


def test_few_files_are_spread_evenly_and_no_other_is_read(tmp_path: Path) -> None:
    for n in range(10):
        (tmp_path / f"{n}.txt").write_text(f"{n}")
    hashes, located = Hashes(tmp_path / "cache" / "hashes.json"), {}
    files = RawFiles(root=".", pattern="*.txt", max_files=3)
    pinned = pin(files, tmp_path, hashes, located)
    assert [file.name for file in pinned.files] == ["0.txt", "3.txt", "6.txt"]
    assert len(json.loads((tmp_path / "cache" / "hashes.json").read_text())) == 3
    assert pin(RawFiles(root=".", pattern="*.txt", max_files=99), tmp_path, hashes, located) == pin(
        RawFiles(root=".", pattern="*.txt"), tmp_path, hashes, located
    )
    with pytest.raises(ConfigError, match="max_files is -1"):
        pin(RawFiles(root=".", pattern="*.txt", max_files=-1), tmp_path, hashes, located)


def test_an_odd_entry_is_said_and_folders_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "folder.txt").mkdir()
    hashes = Hashes(tmp_path / "hashes.json")
    assert len(pin(RawFiles(root=".", pattern="*.txt"), tmp_path, hashes, {}).files) == 1
    (tmp_path / "b.txt").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"b\.txt is a link that leads nowhere"):
        pin(RawFiles(root=".", pattern="*.txt"), tmp_path, hashes, {})
