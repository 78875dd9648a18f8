"""On a real pretrained model."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from regraft.lm.load import load_model, load_tokenizer
from regraft.lm.loss import document_losses, leak_self_test
from tests.smollm2 import smollm2_folder

TEXTS = (
    "软件包管理器会下载软件包并处理依赖关系，然后安装它们。",
    "Debian 是一个自由的操作系统，由世界各地的志愿者共同开发。" * 8,
    "The kernel is the part of the system that talks to the hardware.",
)


@pytest.mark.slow
def test_a_real_model_is_scored_as_document_by_document(tmp_path: Path) -> None:
    folder = smollm2_folder(tmp_path)
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    documents = [[0, *tokenizer.encode(text, add_special_tokens=False).ids] for text in TEXTS]
    plain: list[float] = []
    for document in documents:
        ids = torch.tensor([document])
        with torch.no_grad():
            logits = model(input_ids=ids[:, :-1], use_cache=False).logits[0]
        plain.append(float(F.cross_entropy(logits, ids[0, 1:], reduction="sum")))
    assert document_losses(model, documents) == pytest.approx(plain, rel=1e-4)
    assert leak_self_test(model) < 1e-3
