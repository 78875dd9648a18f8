"""What is wrong in a recipe of one's own, told by file and line instead of a traceback."""

import dataclasses
import difflib
import re
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from regraft.core import ConfigError, RegraftError

_OUR_OWN = Path(__file__).parent
_UNKNOWN_FIELD = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")


@contextmanager
def pointing_to(file: Path) -> Generator[None]:
    """Let an error of a recipe in `file` say in which line it is; recipes that come with regraft are left alone.

    What a line of the recipe itself raises becomes a `ConfigError`; what comes from deeper keeps its traceback, unless
    regraft raised it on purpose.
    """
    try:
        yield
    except Exception as error:
        if file.is_relative_to(_OUR_OWN):
            raise
        if isinstance(error, SyntaxError) and error.filename == str(file):
            raise ConfigError(f"{file}:{error.lineno}: {error.msg}.") from error
        frames = list(traceback.walk_tb(error.__traceback__))
        places = [(frame, line) for frame, line in frames if frame.f_code.co_filename == str(file)]
        if not places or (not isinstance(error, RegraftError) and frames[-1] != places[-1]):
            raise
        frame, line = places[-1]
        kind = type(error) if isinstance(error, RegraftError) else ConfigError
        raise kind(f"{file}:{line}: {_said(error, frame)}") from error


def _said(error: Exception, frame: FrameType) -> str:
    """Return the message, with the name that was probably meant."""
    if isinstance(error, RegraftError):
        return str(error)
    unknown = _UNKNOWN_FIELD.search(str(error))
    called = _dataclass(unknown[1], frame.f_globals) if unknown else None
    if unknown is None or called is None:
        return f"{type(error).__name__}: {error}"
    names = [field.name for field in dataclasses.fields(called)]
    near = difflib.get_close_matches(unknown[2], names, n=1)
    meant = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}."
    return f"{unknown[1]} has no field {unknown[2]!r}; {meant}"


def _dataclass(name: str, seen: Mapping[str, Any]) -> Any:
    """Return the dataclass of a name, imported itself or inside a module; None where there is none."""
    modules = (vars(value) for value in seen.values() if isinstance(value, ModuleType))
    found = (names.get(name) for names in (seen, *modules))
    return next((value for value in found if isinstance(value, type) and dataclasses.is_dataclass(value)), None)
