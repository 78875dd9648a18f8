"""Names of files that come from elsewhere, and their place in an artifact."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from regraft.core import TIMING, RegraftError
from regraft.core.artifact import MANIFEST


def check_member(name: str, origin: object) -> None:
    """Return if a file of this name may be written into an artifact.

    Raises:
        RegraftError: the name leads out of the folder, or is one of the artifact's own.
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise RegraftError(f"{origin}: the name {name!r} leads out of its folder; nothing is written.")
    if path.parts[:1] in ((MANIFEST,), (TIMING,)):
        raise RegraftError(
            f"{origin}: {name!r} has the place of the artifact's own {path.parts[0]!r}. Choose files that leave it out."
        )


def link_members(names: Iterable[str], folder: Path, out: Path) -> list[int]:
    """Put files of `folder` into `out`, linked where the file system can, and return their sizes in bytes.

    Raises:
        FileExistsError: `out` holds a file of one of these names.
    """
    sizes: list[int] = []
    for name in names:
        source, target = (folder / name).resolve(), out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except FileExistsError:
            raise
        except OSError:
            shutil.copyfile(source, target)
        sizes.append(target.stat().st_size)
    return sizes
