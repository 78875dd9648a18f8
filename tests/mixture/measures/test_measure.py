import math
from pathlib import Path

import pytest

from regraft.core import ConfigError, Execution, Silent, Step, Store, run
from regraft.corpus import tables
from regraft.corpus.document import Document
from regraft.corpus.tokens import TokenizeConfig, TokenStore, tokenize
from regraft.lm.tiny import TinyConfig, make_tiny
from regraft.mixture.curriculum.sorted import Ascending
from regraft.mixture.measures.measure import TextMeasuresConfig, measure_texts
from regraft.mixture.measures.shard import measures_of
from tests.corpus.given import corpus, make
from tests.mixture.conftest import DEBIAN, NETWORK, annotation

CODE = "for i in range(10):\n    total += i * 2\n    print(total)\n"
TEXTS = (("zh", DEBIAN), ("en", NETWORK), ("zh", ""), ("en", f"{NETWORK} It works. " * 9), ("en", "Yes"), ("", CODE))
DOCUMENTS = [Document(id=f"d{i}", text=text, source="web", language=lang) for i, (lang, text) in enumerate(TEXTS)]
NAN = math.nan
GOLDEN = {
    "d0": (1.0864, 43.75, 25.0, NAN, 0.0),
    "d1": (0.9157, 27.44, 14.0, 65.725, 0.0),
    "d2": (NAN, NAN, NAN, NAN, NAN),
    "d3": (0.1087, 20.5714, 8.0, 77.1025, 0.0),
    "d4": (3.6667, NAN, 1.0, 121.22, 0.0),
    "d5": (0.9821, 17.92, 8.0, NAN, 0.1316),
}


def step(per_shard: int = 10**9) -> Step[TextMeasuresConfig]:
    return measure_texts.step("measures", TextMeasuresConfig(), docs=corpus(DOCUMENTS, per_shard=per_shard))


def test_output_is_pinned(tmp_path: Path) -> None:
    rows = annotation(make(step(), tmp_path), tables.MEASURES)
    found = {row["id"]: tuple(row[name] for name in tables.MEASURES.names[1:]) for row in rows}
    assert (measure_texts.version, list(found)) == (1, list(GOLDEN))
    for id_, values in GOLDEN.items():
        assert found[id_] == pytest.approx(values, abs=1e-4, nan_ok=True), id_


def test_metrics_are_means_by_language_over_what_is_defined(tmp_path: Path) -> None:
    metrics = make(step(per_shard=2), tmp_path).manifest.metrics
    assert metrics["documents"] == len(DOCUMENTS)
    ratios = [measures_of(d.text, "en", TextMeasuresConfig())["compression_ratio"] for d in DOCUMENTS[1::2][:2]]
    ratios.append(measures_of("Yes", "en", TextMeasuresConfig())["compression_ratio"])
    assert metrics["compression_ratio.en"] == pytest.approx(sum(ratios) / 3)
    assert (metrics["undefined.compression_ratio.zh"], metrics["reading_ease.zh"]) == (1, None)
    assert metrics["math_density.unknown"] == pytest.approx(measures_of(CODE, "", TextMeasuresConfig())["math_density"])


def test_shards_change_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regraft.corpus.work.SERIAL", 0)
    whole, cut = make(step(), tmp_path), make(step(per_shard=2), tmp_path, Execution(cache=tmp_path, workers=2))
    one, other = annotation(whole, tables.MEASURES), annotation(cut, tables.MEASURES)
    assert [row["id"] for row in one] == [row["id"] for row in other] == [document.id for document in DOCUMENTS]
    assert repr(one) == repr(other)


class Killed(BaseException):
    """Stops a run as a kill does: nothing catches it."""


class KillAtTheSecondShard(Silent):
    """Progress whose second tick ends the run."""

    ticks = 0

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.ticks += 1
        if self.ticks == 2:
            raise Killed


def test_a_killed_run_goes_on_at_its_shard(tmp_path: Path) -> None:
    store = Store(tmp_path / "cut" / "store")
    wanted = step(per_shard=2)
    with pytest.raises(Killed):
        run([wanted], store, Execution(cache=tmp_path / "cut" / "cache"), KillAtTheSecondShard())
    shards = [path.parent.name for path in store.root.rglob("done.json")]
    assert sorted(shards) == ["00000", "00001"]
    again = make(wanted, tmp_path / "cut")
    assert again.manifest.content_digest == make(wanted, tmp_path / "whole").manifest.content_digest


def test_documents_are_tokenized_in_ascending_order_of_a_measure(tmp_path: Path) -> None:
    """From the texts to the streams, with nothing between but the name of the column."""
    texts = ["压缩率低的文字" * 30, "每个字都不相同，所以压缩率高。", "", "重复的文字重复。" * 4, DEBIAN * 3]
    documents = [Document(id=f"d{i}", text=text, source="web", language="zh") for i, text in enumerate(texts)]
    config = TokenizeConfig(order=Ascending(), ordered_languages=("zh",), measure="compression_ratio")
    docs, model = corpus(documents), make_tiny.step("model", TinyConfig())
    measured = measure_texts.step("measures", TextMeasuresConfig(), docs=docs)
    made = make(tokenize.step("tokens", config, docs=docs, model=model, difficulty=measured), tmp_path)
    store = TokenStore.open(made.path)
    assert list(store.ids) == ["d0", "d3", "d4", "d1", "d2"]
    assert store.measure == "compression_ratio"
    assert store.difficulty[:4].tolist() == sorted(store.difficulty[:4])
    assert math.isnan(store.difficulty[4])
    assert made.manifest.metrics["without_difficulty.zh"] == 1


@pytest.mark.parametrize("config", [{"compression_level": 0}, {"compression_level": 10}, {"diversity_threshold": 1.0}])
def test_settings_that_measure_nothing_are_refused(config: dict[str, int | float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(config))):
        TextMeasuresConfig(**config)  # pyright: ignore[reportArgumentType]
