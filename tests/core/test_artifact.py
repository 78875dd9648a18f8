from pathlib import Path

import pytest

from regraft.core import Artifact, ArtifactError, Execution, Store, damage, lineage, open_artifact, plan, run
from regraft.core.provenance import without_secrets
from tests.core.test_runner import recipe


def made(tmp_path: Path) -> Artifact:
    store = Store(tmp_path)
    run(recipe(), store, parameters={"count": 3})
    return store.resolve("total")


def test_the_manifest_says_what_made_it(tmp_path: Path) -> None:
    manifest = open_artifact(made(tmp_path).path).manifest
    assert (manifest.step, manifest.stage, manifest.version, manifest.kind) == ("total", "add_up", 1, "files")
    assert manifest.config == {"!": "tests.core.stages.SumConfig", "label": "sum"}
    assert [(i.role, i.step) for i in manifest.inputs] == [("numbers", "a"), ("numbers", "b")]
    assert manifest.metrics == {"total": 4.0}
    assert manifest.provenance.seconds >= 0
    assert manifest.provenance.peak_memory_bytes > 1_000_000


def test_lineage_reaches_everything_once(tmp_path: Path) -> None:
    total = made(tmp_path)
    assert [(depth, role, a.manifest.step) for depth, role, a in lineage(Store(tmp_path), total)] == [
        (0, "", "total"),
        (1, "numbers", "a"),
        (1, "numbers", "b"),
    ]


def test_damage_is_found_and_named(tmp_path: Path) -> None:
    total = made(tmp_path)
    assert damage(total) == []
    total.file("sum.txt").write_text("sum 5.0\n")
    (total.path / "more.txt").write_text("?")
    assert damage(total) == ["sum.txt has other bytes than were written", "more.txt is not in the manifest"]
    total.file("sum.txt").unlink()
    assert damage(total)[0] == "sum.txt is missing"


def test_what_is_no_artifact_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(ArtifactError, match="no finished artifact"):
        open_artifact(tmp_path / "x")
    (tmp_path / "x" / "manifest.json").write_text('{"format": 1}')
    with pytest.raises(ArtifactError, match="cannot be read"):
        open_artifact(tmp_path / "x")
    (tmp_path / "x" / "manifest.json").write_text('{"format": 99, "something": "new"}')
    with pytest.raises(ArtifactError, match="has format 99, this regraft reads 1"):
        open_artifact(tmp_path / "x")


def test_one_unreadable_artifact_does_not_stop_a_plan(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "other-000").mkdir()
    (tmp_path / "other-000" / "manifest.json").write_text("{")
    assert {p.action.value for p in plan(recipe(), Store(tmp_path), Execution())} == {"reuse"}


def test_resolve_takes_an_id_its_beginning_or_a_step(tmp_path: Path) -> None:
    total, store = made(tmp_path), Store(tmp_path)
    assert store.resolve(total.id) == store.resolve(total.id[:9]) == store.resolve("total")
    with pytest.raises(ArtifactError, match="2 artifacts begin with 'write_numbers'"):
        store.resolve("write_numbers")
    with pytest.raises(ArtifactError, match="no artifact or step is named 'nothing'"):
        store.resolve("nothing")
    with pytest.raises(ArtifactError, match=r"holds no 'other.txt'"):
        total.file("other.txt")


def test_secrets_on_the_command_line_are_hidden() -> None:
    shown = without_secrets(["regraft", "--api-key", "abc", "--token=def", "--tokens", "100", "--key-file=x"])
    assert shown == ["regraft", "--api-key", "***", "--token=***", "--tokens", "100", "--key-file=***"]
    assert without_secrets(["--api_key", "abc", "--endpoint", "https://me:pw@host/v1"]) == [
        "--api_key",
        "***",
        "--endpoint",
        "https://***@host/v1",
    ]
