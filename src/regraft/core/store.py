"""The store: a directory of artifacts, and the layout of what stands beside them.

```
<store>/<stage>-<fingerprint12>/     an artifact
<store>/.scratch/<artifact>/         what a long step needs to continue
<store>/.tmp-<artifact>/             being written; never served
<store>/.failed-<artifact>/          what a failed step wrote, with error.txt and failed.json
<store>/.locks/<artifact>.lock
<store>/.runs/<time>-<recipe>.json   which artifact stood for which step in a run
<store>/reports/                     for people
```
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from regraft.core.artifact import Artifact, artifact_id, open_artifact
from regraft.core.errors import ArtifactError

REPORTS = "reports"
FAILED = ".failed-"
FAILURE = "failed.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a failed step left behind."""

    path: Path
    step: str
    ended: str
    """UTC, ISO 8601."""

    @property
    def artifact(self) -> str:
        """The id of what it would have made."""
        return self.path.name.removeprefix(FAILED)


@dataclass(frozen=True, slots=True)
class Store:
    """A directory of artifacts. Moving it changes nothing."""

    root: Path

    @property
    def runs(self) -> Path:
        return self.root / ".runs"

    @property
    def reports(self) -> Path:
        return self.root / REPORTS

    def path(self, artifact: str) -> Path:
        return self.root / artifact

    def scratch(self, artifact: str) -> Path:
        return self.root / ".scratch" / artifact

    def unfinished(self, artifact: str) -> Path:
        return self.root / f".tmp-{artifact}"

    def failed(self, artifact: str) -> Path:
        return self.root / f"{FAILED}{artifact}"

    def failures(self) -> list[Failure]:
        """Return what failed steps left that were not made since, the oldest first."""
        notes = self.root.glob(f"{FAILED}*/{FAILURE}")
        found = [Failure(path=note.parent, **json.loads(note.read_text("utf-8"))) for note in notes]
        missing = (failure for failure in found if not self.path(failure.artifact).exists())
        return sorted(missing, key=lambda failure: failure.ended)

    def lock(self, artifact: str) -> Path:
        return self.root / ".locks" / f"{artifact}.lock"

    def find(self, stage: str, fingerprint: str) -> Artifact | None:
        """Return the finished artifact of this identity, None when there is none.

        Raises:
            ArtifactError: the directory is there but holds another identity or cannot be read.
        """
        path = self.path(artifact_id(stage, fingerprint))
        if not path.exists():
            return None
        artifact = open_artifact(path)
        if artifact.manifest.fingerprint != fingerprint:
            raise ArtifactError(f"{path} holds the fingerprint {artifact.manifest.fingerprint}, not {fingerprint}.")
        return artifact

    def directories(self) -> list[Path]:
        """Return the directory of every artifact, readable or not, in order of their ids."""
        if not self.root.is_dir():
            return []
        hidden_or_ours = (".", REPORTS)
        return sorted(p for p in self.root.iterdir() if p.is_dir() and not p.name.startswith(hidden_or_ours))

    def artifacts(self) -> Iterator[Artifact]:
        """Yield every artifact, in order of their ids.

        Raises:
            ArtifactError: one cannot be read.
        """
        for path in self.directories():
            yield open_artifact(path)

    def readable_artifacts(self) -> Iterator[Artifact]:
        """Yield every artifact that can be read, in order of their ids."""
        for artifact in self.directories():
            with suppress(ArtifactError):
                yield open_artifact(artifact)

    def has(self, name: str) -> bool:
        """Return whether `name` is a step, or an artifact's id or the beginning of one."""
        return any(a.manifest.step == name or a.id.startswith(name) for a in self.artifacts())

    def resolve(self, name: str) -> Artifact:
        """Return the newest artifact of the step `name`, or the one whose id is or begins with `name`.

        Raises:
            ArtifactError: nothing or more than one thing has that name.
        """
        artifacts = list(self.artifacts())
        by_step = [a for a in artifacts if a.manifest.step == name]
        if by_step:
            return max(by_step, key=lambda a: a.manifest.provenance.started)
        found = [a for a in artifacts if a.id == name] or [a for a in artifacts if a.id.startswith(name)]
        if len(found) != 1:
            what = f"{len(found)} artifacts begin with" if found else "no artifact or step is named"
            raise ArtifactError(f"{self.root}: {what} {name!r}. `regraft trace` without a name lists them.")
        return found[0]


def lineage(store: Store, artifact: Artifact) -> Iterator[tuple[int, str, Artifact]]:
    """Yield (depth, role, artifact) for an artifact and all that it was made from, depth first, each artifact once."""
    seen: set[str] = set()
    pending = [(0, "", artifact.id)]
    while pending:
        depth, role, name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        current = open_artifact(store.path(name))
        yield depth, role, current
        pending += [(depth + 1, i.role, i.artifact) for i in reversed(current.manifest.inputs)]
