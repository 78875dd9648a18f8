"""DataDesigner asks all prompts and writes Parquet, with its row groups of 1,000."""

import os

os.environ.update(NEMO_TELEMETRY_ENABLED="false", LOOPBACK_KEY="x", HF_HUB_OFFLINE="1")

import data_designer.config as dd
import pandas as pd
from asked import asked
from data_designer.interface import DataDesigner
from spent import Spent

if __name__ == "__main__":
    given = asked(__doc__)
    spent = Spent()
    provider = dd.ModelProvider(
        name="loopback", endpoint=f"{given.server}/v1", provider_type="openai", api_key="LOOPBACK_KEY"
    )
    parameters = dd.ChatCompletionInferenceParams(temperature=0.7, max_tokens=800, max_parallel_requests=given.at_once)
    model = dd.ModelConfig(
        alias="writer", model="m", provider="loopback", skip_health_check=True, inference_parameters=parameters
    )
    designer = DataDesigner(artifact_path=str(given.out / "artifacts"), model_providers=[provider])
    designer.set_run_config(dd.RunConfig(otel_metrics_port=None))
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"asked": given.prompts})))
    builder.add_column(dd.LLMTextColumnConfig(name="answer", model_alias="writer", prompt="{{ asked }}"))
    found = designer.create(builder, num_records=len(given.prompts), dataset_name="found").load_dataset()
    spent.write(given.out / "spent.json", rows=int(found["answer"].astype(bool).sum()))
