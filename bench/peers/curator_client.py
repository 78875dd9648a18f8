"""curator asks all prompts; its cache of requests and responses is always on."""

import importlib.util
import os
from pathlib import Path
from typing import Any

from asked import asked

GIVEN = asked(__doc__)
LITELLM = importlib.util.find_spec("litellm")
assert LITELLM is not None, "curator brings it"
os.environ.update(
    TELEMETRY_ENABLED="0",
    CURATOR_CACHE_DIR=str(GIVEN.out / "cache"),
    CURATOR_DISABLE_RICH_DISPLAY="1",
    OPENAI_API_KEY="x",
    HF_HUB_OFFLINE="1",
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    TIKTOKEN_CACHE_DIR=str(Path(str(LITELLM.origin)).parent / "litellm_core_utils/tokenizers"),  # else it is fetched
)

from bespokelabs import curator  # noqa: E402
from datasets import Dataset  # noqa: E402
from spent import Spent  # noqa: E402


class Writer(curator.LLM):
    """Asks a prompt as it is."""

    def prompt(self, input: dict[str, Any]) -> str:
        return input["prompt"]

    def parse(self, input: dict[str, Any], response: str) -> dict[str, Any]:
        return {"answer": response}


if __name__ == "__main__":
    spent = Spent()
    limits = {"max_concurrent_requests": GIVEN.at_once, "max_requests_per_minute": 10**7}
    writer = Writer(
        model_name="m",
        backend="openai",
        generation_params={"temperature": 0.7, "max_tokens": 800},
        backend_params={
            "base_url": f"{GIVEN.server}/v1",
            "api_key": "x",
            "max_tokens_per_minute": 10**10,
            **limits,
        },
    )
    found = writer(Dataset.from_list([{"prompt": prompt} for prompt in GIVEN.prompts]))
    rows = getattr(found, "dataset", found)
    spent.write(GIVEN.out / "spent.json", rows=sum(bool(row["answer"]) for row in rows))
