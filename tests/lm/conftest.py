from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from regraft.lm.load import load_model
from regraft.lm.tiny import tiny_model_folder


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def tiny(tiny_folder: Path) -> PreTrainedModel:
    return load_model(tiny_folder)
