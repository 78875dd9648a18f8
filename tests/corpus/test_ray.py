"""The same recipe on a Ray cluster: here a local one with two workers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import json, random, sys
from pathlib import Path
from regraft.core import Execution
from regraft.corpus import work
from regraft.corpus.document import Document
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate
from regraft.curation.filters.chain import FilterConfig, GopherQuality, filter_documents
from tests.corpus.given import corpus, make

work.SERIAL = 0
generator = random.Random(0)
words = "the of and to bark leaf root stem wood seed graft scion stock tree bud cambium".split()
texts = [" ".join(generator.choices(words, k=120)) for _ in range(40)]
copies = [text.replace("bark", "rind", 1) for text in texts]
documents = [Document(id=f"{n}", text=text, source="s", language="en") for n, text in enumerate(texts + copies)]
docs = corpus(documents, per_shard=20)
kept = filter_documents.step("kept", FilterConfig(filters=(GopherQuality(),)), docs=docs)
execution = Execution(engine=sys.argv[1], workers=2)
made = make(deduplicate.step("unique", DedupConfig(), docs=kept), Path(sys.argv[2]), execution)
print(json.dumps([made.manifest.content_digest, made.manifest.metrics["documents"]]))
"""


@pytest.mark.slow
def test_ray_makes_what_the_native_engine_makes(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="install regraft[ray]")
    found = {}
    for engine in ("native", "ray"):
        done = subprocess.run(
            [sys.executable, "-c", CODE, engine, str(tmp_path / engine)],
            capture_output=True,
            text=True,
            timeout=240,
            cwd=Path(__file__).parents[2],
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[engine] = json.loads(done.stdout.splitlines()[-1])
    assert found["native"] == found["ray"]
    assert found["native"][1] == 40
