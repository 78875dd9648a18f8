"""Parameters of a recipe, from the command line or a file: typed, checked and explained alike by its signature."""

import re
import tomllib
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import cyclopts

from regraft.core import ConfigError
from regraft.recipes.find import Recipe


def bind(recipe: Recipe, name: str, tokens: Sequence[str], file: Path | None = None) -> dict[str, Any]:
    """Return the keyword arguments of `recipe` given by `tokens` (`--zh-share 0.2`), then by `file` for the rest.

    Raises:
        ConfigError: an unknown parameter, a value of the wrong type, or a file that cannot be read. The message names
            the parameter and the near ones.
    """
    app = _app(recipe, name)
    given = _parse(app, tokens, "command line")
    if file is None:
        return given
    from_file = _parse(app, _tokens_of(file), str(file))
    return {**from_file, **given}


def show_help(recipe: Recipe, name: str) -> None:
    """Print the parameters of a recipe with their types, defaults and explanations."""
    _app(recipe, name).help_print([])


def _app(recipe: Recipe, name: str) -> cyclopts.App:
    app = cyclopts.App(name=f"regraft run {name}", help_flags=[], version_flags=[], usage="")
    app.default(_strict(recipe))
    return app


def _strict(recipe: Recipe) -> Recipe:
    """Return the same function, whose `int` parameters take whole numbers only; cyclopts would round `4.5`."""
    same = types.FunctionType(
        recipe.__code__, recipe.__globals__, recipe.__name__, recipe.__defaults__, recipe.__closure__
    )
    same.__kwdefaults__, same.__doc__ = recipe.__kwdefaults__, recipe.__doc__
    hints = get_type_hints(recipe, include_extras=True)
    whole = Annotated[int, cyclopts.Parameter(converter=_whole_number)]
    same.__annotations__ = {name: whole if hint is int else hint for name, hint in hints.items()}
    return same


def _whole_number(_: type, tokens: Sequence[cyclopts.Token]) -> int:
    text = tokens[0].value
    return int(text.replace(",", "") if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", text) else text)


def _parse(app: cyclopts.App, tokens: Sequence[str], place: str) -> dict[str, Any]:
    try:
        _, bound, _ = app.parse_args(list(tokens), print_error=False, exit_on_error=False)
    except cyclopts.CycloptsError as error:
        raise ConfigError(f"{place}: {error}") from None
    return dict(bound.arguments)


def _tokens_of(file: Path) -> list[str]:
    tokens: list[str] = []
    for key, value in _read(file).items():
        option = "--" + key.replace("_", "-")
        if isinstance(value, bool):
            tokens.append(option if value else "--no-" + option[2:])
        elif isinstance(value, list):
            tokens += [f"{option}={item}" for item in value]
        elif isinstance(value, str | int | float):
            tokens.append(f"{option}={value}")
        else:
            raise ConfigError(f"{file}: {key} is {value!r}; parameters are single values or lists of them.")
    return tokens


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.suffix == ".toml":
            return tomllib.loads(file.read_text("utf-8"))
        if file.suffix in (".yaml", ".yml"):
            import yaml

            found = yaml.safe_load(file.read_text("utf-8"))
            return {} if found is None else dict(found)
    except FileNotFoundError:
        raise ConfigError(f"The parameter file {file} does not exist.") from None
    except Exception as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    raise ConfigError(f"{file}: give a .toml, .yaml or .yml file.")
