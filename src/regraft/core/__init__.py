"""Artifacts, steps and the runner. Standard library only; knows nothing of language models."""

from regraft.core.artifact import TIMING, Artifact, FileRecord, Manifest, Metrics, damage, open_artifact
from regraft.core.errors import (
    ArtifactError,
    ConfigError,
    Interrupted,
    RegraftError,
    SchemaError,
    StepFailed,
    StoreBusy,
)
from regraft.core.execution import Asking, Execution
from regraft.core.fingerprint import canonical, fingerprint
from regraft.core.kinds import Kind
from regraft.core.plan import Action, Planned, plan
from regraft.core.runner import Run, latest_run, load_run, run
from regraft.core.sources import RawFiles, SourceFile, sha256_of
from regraft.core.stage import Context, Progress, Silent, Stage, Step, Ticker, many, optional, stage, walk
from regraft.core.store import Failure, Store, lineage

__all__ = [
    "TIMING",
    "Action",
    "Artifact",
    "ArtifactError",
    "Asking",
    "ConfigError",
    "Context",
    "Execution",
    "Failure",
    "FileRecord",
    "Interrupted",
    "Kind",
    "Manifest",
    "Metrics",
    "Planned",
    "Progress",
    "RawFiles",
    "RegraftError",
    "Run",
    "SchemaError",
    "Silent",
    "SourceFile",
    "Stage",
    "Step",
    "StepFailed",
    "Store",
    "StoreBusy",
    "Ticker",
    "canonical",
    "damage",
    "fingerprint",
    "latest_run",
    "lineage",
    "load_run",
    "many",
    "open_artifact",
    "optional",
    "plan",
    "run",
    "sha256_of",
    "stage",
    "walk",
]
