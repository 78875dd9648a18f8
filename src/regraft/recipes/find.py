"""Find a recipe: a shipped one by name, or `file.py:function`."""

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from regraft.core import ConfigError, Step
from regraft.recipes.pointing import pointing_to

Recipe = Callable[..., list[Step[Any]]]
"""A function of typed keyword parameters that returns steps."""


def shipped_recipes() -> dict[str, str]:
    """Return name -> first line of its docstring, for every module here that holds a recipe of its own name."""
    import regraft.recipes

    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(regraft.recipes.__path__):
        if _has_recipe(module.name):
            found[module.name] = (inspect.getdoc(find_recipe(module.name)) or "").partition("\n")[0]
    return found


def find_recipe(name: str) -> Recipe:
    """Return the recipe function named `quickstart` or `path/to/file.py:function`.

    Raises:
        ConfigError: no such recipe, file or function; the message lists what there is.
    """
    if ":" in name or name.endswith(".py"):
        return _from_file(name)
    if not _has_recipe(name):
        raise ConfigError(
            f"No shipped recipe is named {name!r}; there are: {', '.join(shipped_recipes())}. "
            "Your own is named as file.py:function."
        )
    return getattr(importlib.import_module(f"regraft.recipes.{name}"), name)


def _has_recipe(name: str) -> bool:
    try:
        module = importlib.import_module(f"regraft.recipes.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"regraft.recipes.{name}":
            raise
        return False
    function = getattr(module, name, None)
    return inspect.isfunction(function)


def _from_file(name: str) -> Recipe:
    file, _, function = name.partition(":")
    path = Path(file).resolve()
    if not path.is_file():
        raise ConfigError(f"The recipe file {file} does not exist.")
    # A name of its own, so that a recipe may be called random.py and still be pickled by its module's name.
    spec = importlib.util.spec_from_file_location(f"recipe_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    with pointing_to(path):
        spec.loader.exec_module(module)
    found = getattr(module, function or path.stem, None)
    if not inspect.isfunction(found):
        functions = [n for n, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__]
        raise ConfigError(f"{file} has no function {function or path.stem!r}; it has {functions}. Write {file}:NAME.")
    return found
