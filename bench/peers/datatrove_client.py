"""datatrove's inference runner asks all prompts and writes JSON lines; with `--store` it keeps checkpoints."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from asked import asked
from datatrove.data import Document
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
from datatrove.pipeline.writers import JsonlWriter
from spent import Spent


async def rollout(document: Document, generate: Callable[[dict[str, Any]], Awaitable[Any]]) -> Any:
    message = {"role": "user", "content": document.text}
    return await generate({"messages": [message], "temperature": 0.7, "max_tokens": 800})


if __name__ == "__main__":
    given = asked(__doc__)
    spent = Spent()
    config = InferenceConfig(
        server_type="endpoint",
        model_name_or_path="m",
        endpoint_url=given.server,
        max_concurrent_generations=given.at_once,
        metric_interval=600,
    )
    name = "${rank}_${chunk_index}.jsonl" if given.store else None
    runner = InferenceRunner(
        rollout_fn=rollout,
        config=config,
        output_writer=JsonlWriter(str(given.out / "rows"), output_filename=name, compression=None),
        checkpoints_local_dir=str(given.out / "checkpoints") if given.store else None,
        records_per_chunk=100,
    )
    documents = [Document(text=prompt, id=str(number)) for number, prompt in enumerate(given.prompts)]
    LocalPipelineExecutor([documents, runner], logging_dir=str(given.out / "logs"), tasks=1, workers=1).run()
    rows = [json.loads(line) for file in (given.out / "rows").rglob("*.jsonl") for line in file.open()]
    spent.write(given.out / "spent.json", rows=len(rows))
