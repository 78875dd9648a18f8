"""Objects as bytes that another process can read, also when it could not import the modules of their classes.

A class in a recipe file of the user belongs to a module that was loaded by its path: a worker process that looks for
it by name finds nothing, or another module of that name.
"""

import pickle
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import cloudpickle  # pyright: ignore[reportMissingTypeStubs]


def packed(value: object) -> bytes:
    """Return a value as bytes; what it takes from modules that cannot be imported goes along by value.

    Raises:
        PicklingError, TypeError: the value holds something that cannot be sent, such as an open file.
    """
    registered = cloudpickle.list_registry_pickle_by_value()
    modules = [module for module in _unimportable() if module.__name__ not in registered]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        return pickle.dumps((sys.path, cloudpickle.dumps(value)))
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def unpacked(data: bytes) -> Any:
    """Return the value that `packed` was given; modules are looked for where the sender looks for them."""
    path, value = pickle.loads(data)
    sys.path += [folder for folder in path if folder not in sys.path]
    return pickle.loads(value)


def _unimportable() -> Iterator[ModuleType]:
    """Yield the loaded top-level modules whose name would lead an import elsewhere or nowhere."""
    for name, module in list(sys.modules.items()):
        own = getattr(module, "__spec__", None)  # `__main__` may have none, and goes by value in any case
        if own is not None and own.name == name and "." not in name:
            found = _found(name)
            if found is None or found.origin != own.origin:
                yield module


def _found(name: str) -> ModuleSpec | None:
    """Return what an import would find in a new process; `importlib.util.find_spec` looks at what is loaded."""
    found = (finder.find_spec(name, None) for finder in sys.meta_path)
    return next((spec for spec in found if spec is not None), None)
