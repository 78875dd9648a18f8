"""distilabel asks all prompts, `--at-once` of them a batch (50 by default there): the next waits for the last one."""

import os

os.environ.update(HF_HUB_OFFLINE="1", DISTILABEL_LOG_LEVEL="WARNING")

from asked import asked
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration
from spent import Spent

if __name__ == "__main__":
    given = asked(__doc__)
    spent = Spent()
    model = OpenAILLM(
        model="m",
        base_url=f"{given.server}/v1",
        api_key="x",
        generation_kwargs={"max_new_tokens": 800, "temperature": 0.7},
    )
    with Pipeline(name="bench", cache_dir=given.out / "cache") as pipeline:
        rows = [{"instruction": prompt} for prompt in given.prompts]
        load = LoadDataFromDicts(data=rows, batch_size=given.at_once)
        write = TextGeneration(llm=model, input_batch_size=given.at_once)
        load >> write
    found = pipeline.run(use_cache=False)["default"]["train"]
    found.to_parquet(str(given.out / "rows.parquet"))
    spent.write(given.out / "spent.json", rows=sum(bool(row["generation"]) for row in found))
