"""The recipe of the how-to runs as it is written."""

import json
import random
import re
from pathlib import Path
from typing import Any, cast

import pytest

from regraft.core import Execution, Run, Store, run
from regraft.corpus import tables
from regraft.lm.tiny import SAMPLE_TEXTS, tiny_model_folder
from regraft.report.collect import collect
from regraft.report.training import course

PAGE = Path(__file__).parents[2] / "docs/how-to/steer-a-training.md"


def written(path: Path, words: list[str], count: int, joint: str) -> str:
    """Write documents of some words in an order of their own."""
    draw = random.Random(0)
    texts = [joint.join(draw.choices(words, k=60)) for _ in range(count)]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Run]:
    folder = tmp_path_factory.mktemp("how-to")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), namespace)
    steps = namespace["steer"](
        backbone=str(tiny_model_folder(folder / "model")),
        pages=written(folder / "zh.jsonl", list(SAMPLE_TEXTS[1]), 240, ""),
        replay=written(folder / "en.jsonl", SAMPLE_TEXTS[0].split(), 60, " "),
        tokens=9 * 1024,
    )
    store = Store(folder / "store")
    return store, run(steps, store, Execution(workers=1))


def test_the_band_keeps_half_of_the_chinese_and_they_are_served_easy_to_hard(made: tuple[Store, Run]) -> None:
    store, _ = made
    band, learn = (cast("dict[str, Any]", store.resolve(name).manifest.metrics) for name in ("band", "learn"))
    assert band["language.en"] == learn["language.en"]
    assert band["language.zh"] == round(0.6 * learn["language.zh"]) - round(0.1 * learn["language.zh"])
    index = tables.read(store.resolve("tokens").file(tables.INDEX_FILE), tables.INDEX).to_pylist()
    chinese = [row["difficulty"] for row in index if row["language"] == "zh"]
    assert chinese == sorted(chinese)
    assert len(chinese) == band["language.zh"]


def test_the_report_says_what_the_guard_watched(made: tuple[Store, Run]) -> None:
    captions = [figure.caption for figure in course(collect(*made)).figures]
    (said,) = [caption for caption in captions if "forgetting guard" in caption]
    assert "A forgetting guard watched en/wikipedia, with a limit of 0.05 nats a token above the start: it " in said
    assert "of 8 decisions" in said
