import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from regraft.core import Artifact, Asking, ConfigError, Execution, StepFailed, Store, open_artifact, run
from regraft.corpus import tables
from regraft.synthesis.entity.entities import pairs_of, parse_entities
from regraft.synthesis.entity.relate_entities import RelateConfig, relate_entities
from regraft.synthesis.tasks import Checks
from regraft.synthesis.verify import Demands
from regraft.synthesis.writer import WriterConfig
from tests.lm.loopback import completion, serving
from tests.synthesis.given import PagesConfig, digest, page_documents, pages

TEXT = "The plant cell has a chloroplast. Light reaches the Chloroplast through the cell wall."
CONFIG = RelateConfig(writer=WriterConfig(model="m"), num_documents=2, pairs_per_document=2)
LENIENT = Checks(demands=Demands(min_solution_words=1, min_grounding=0, max_similarity=1.0, max_repetition=1.0))
ENTITIES = {"Chapter": ["kernel", "driver", "hardware"], "Mirrors": ["mirror", "archive"]}


async def knowing(body: dict[str, Any], time: int) -> web.StreamResponse:
    """List known entities of a page, and say of two of them what its text says."""
    asked = body["messages"][0]["content"]
    snippet = asked.split("---\n")[1]
    if "JSON array" in asked:
        return completion(json.dumps(ENTITIES[snippet.split()[0].strip(".")]))
    both = asked.splitlines()[0].rpartition(": ")[2].rstrip(".")
    return completion(f"On {both} together: {' '.join(snippet.split()[3:40])}")


def made(store: Store, endpoint: str, config: RelateConfig = CONFIG) -> Artifact:
    step = relate_entities.step("pairs", config, docs=pages.step("docs", PagesConfig()))
    execution = Execution(asking=Asking(endpoints=(endpoint,)), cache=store.root / ".cache")
    return open_artifact(store.path(run([step], store, execution).steps["pairs"]))


def rows(artifact: Artifact, name: str) -> list[dict[str, Any]]:
    schema = {"documents": tables.DOCUMENTS, "rejects": tables.REJECTS}[name]
    return tables.read_shards(artifact.path, name, schema).to_pylist()


@pytest.mark.parametrize(
    "answer",
    [
        '["plant cell", "Chloroplast", "chloroplast", "moon", "cell wall"]',
        'Sure:\n```json\n["plant cell", "Chloroplast", "cell wall"]\n```',
        '["plant cell", "Chloroplast", "cell wall", "tru',
        "1. **plant cell**\n2. Chloroplast\n3. cell wall",
        "<think>[1]</think>- plant cell\n- Chloroplast\n- cell wall",
    ],
)
def test_names_that_stand_in_the_text_are_read(answer: str):
    assert parse_entities(answer, TEXT, 9) == ["plant cell", "Chloroplast", "cell wall"]
    assert parse_entities(answer, TEXT, 2) == ["plant cell", "Chloroplast"]


@pytest.mark.parametrize("answer", ["", "[]", "[1, 2]", "none", '["moon"]', "]["])
def test_no_names_are_none(answer: str):
    assert parse_entities(answer, TEXT, 9) == []


def test_pairs_are_seeded_and_no_name_is_part_of_the_other():
    names = ["cell", "plant cell", "light", "wall"]
    every = pairs_of(names, 99, "d", 0)
    assert sorted(every) == [
        ("cell", "light"),
        ("cell", "wall"),
        ("light", "wall"),
        ("plant cell", "light"),
        ("plant cell", "wall"),
    ]
    assert pairs_of(names, 2, "d", 0) == every[:2]
    assert len({tuple(pairs_of(names, 5, "d", seed)) for seed in range(9)}) > 1


def test_texts_say_which_entities_they_relate_and_where_they_come_from(tmp_path: Path):
    with serving(knowing) as (endpoint, server):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], dataclasses.replace(CONFIG, checks=LENIENT))
    assert sum(server.seen.values()) == 2 + 2 + 1
    found = rows(artifact, "documents")
    assert len(found) == 3
    texts = {d.id: d.text for d in page_documents()}
    for row in found:
        meta = json.loads(row["meta"])
        assert all(name in row["text"] and name in texts[row["parents"][0]] for name in meta["entities"].split("; "))
        assert meta["solution_start"] == "0"
    metrics = artifact.manifest.metrics
    assert (metrics["requests"], metrics["pages_short"], metrics["texts_short"]) == (5, 0, 1)
    assert digest(found) == "819283ab18282cd9"


def test_another_demand_asks_for_nothing(tmp_path: Path):
    store = Store(tmp_path)
    with serving(knowing) as (endpoint, server):
        made(store, endpoint.base_urls[0], dataclasses.replace(CONFIG, checks=LENIENT))
        strict = made(
            store, endpoint.base_urls[0], dataclasses.replace(CONFIG, checks=Checks(demands=Demands(max_words=5)))
        )
        assert sum(server.seen.values()) == 5
    assert {r["reason"] for r in rows(strict, "rejects")} <= {"too_long", "too_short"}
    assert len(rows(strict, "rejects")) == 3


def test_a_page_without_two_entities_is_a_reject(tmp_path: Path):
    async def one(body: dict[str, Any], time: int) -> web.StreamResponse:
        return completion('["kernel"]')

    with serving(one) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0])
    assert [r["reason"] for r in rows(artifact, "rejects")] == ["few_entities"] * 2
    assert artifact.manifest.metrics["documents"] == 0


def test_a_corpus_of_another_language_is_an_error(tmp_path: Path):
    relation = dataclasses.replace(CONFIG.relation, language="fr")
    config = dataclasses.replace(CONFIG, language="fr", relation=relation)
    with pytest.raises(StepFailed, match="no document in 'fr'"):
        made(Store(tmp_path), "http://127.0.0.1:9/v1", config)


def test_a_bad_config_is_refused():
    with pytest.raises(ConfigError, match="max_entities is 1"):
        dataclasses.replace(CONFIG, max_entities=1)
    with pytest.raises(ConfigError, match="relation is in 'en'"):
        dataclasses.replace(CONFIG, language="zh")
