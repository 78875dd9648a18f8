"""A live model and local questions, as lm-evaluation-harness sees them; nothing touches a network.

The harness builds prompts and computes accuracies; the model here answers its log-likelihood requests from
`regraft.lm`, so that scoring is the same code as everywhere else and each checkpoint is loaded once.
"""

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import datasets
import datasets.config
import huggingface_hub.constants
import lm_eval.api.task
import torch
import yaml
from lm_eval import evaluator
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from regraft.core import RegraftError
from regraft.lm.batches import plan_batches
from regraft.lm.load import context_length
from regraft.lm.loss import IGNORED, Precision, position_losses


class LiveModel(LM):
    """Answers log-likelihood requests of the harness with a loaded model."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Tokenizer,
        *,
        begin: int | None,
        batch_tokens: int,
        precision: Precision,
        advance: Callable[[float], object],
    ) -> None:
        super().__init__()
        self._model, self._tokenizer, self._begin = model, tokenizer, begin
        self._batch_tokens, self._precision, self._advance = batch_tokens, precision, advance

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Return the log-likelihood in nats of each continuation after its context. "Greedy" is never claimed."""
        encoded = [self._encode(*request.args) for request in requests]
        answers = [0.0] * len(requests)
        batches = plan_batches([len(ids) for ids, _ in encoded], batch_tokens=self._batch_tokens, window=self._window)
        for batch in batches:
            numbers = [piece.document for piece in batch]
            for number, loss in zip(numbers, self._losses([encoded[n] for n in numbers]), strict=True):
                answers[number] = -loss
            self._advance(len(batch))
        return [(answer, False) for answer in answers]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        raise NotImplementedError("held-out text is scored by evaluate_held_out, not by the harness")

    def generate_until(self, requests: list[Instance]) -> list[str]:
        raise NotImplementedError("only multiple-choice tasks are run")

    @property
    def _window(self) -> int:
        return context_length(self._model)

    def _encode(self, context: str, continuation: str) -> tuple[list[int], int]:
        """Return the tokens and the position of the first that belongs to the continuation.

        The whole is encoded at once: a token must not be cut where the continuation begins.
        """
        lead = [] if self._begin is None else [self._begin]
        whole = lead + self._tokenizer.encode(context + continuation, add_special_tokens=False).ids
        first = len(lead) + len(self._tokenizer.encode(context, add_special_tokens=False).ids)
        if len(whole) - 1 > self._window:
            raise RegraftError(
                f"A question with its answer has {len(whole)} tokens, but the model reads {self._window}. "
                "Lower max_characters or num_fewshot."
            )
        return whole, min(first, len(whole) - 1)

    @torch.no_grad()
    def _losses(self, rows: Sequence[tuple[list[int], int]]) -> list[float]:
        width = max(len(ids) for ids, _ in rows) - 1
        inputs = torch.zeros(len(rows), width, dtype=torch.long)  # (B, T), padded on the right, where no token looks
        labels = torch.full_like(inputs, IGNORED)
        for row, (ids, first) in enumerate(rows):
            inputs[row, : len(ids) - 1] = torch.tensor(ids[:-1])
            labels[row, first - 1 : len(ids) - 1] = torch.tensor(ids[first:])
        positions = torch.arange(width).expand_as(inputs)
        device = self._model.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            losses = position_losses(self._model, inputs.to(device), positions.to(device), labels.to(device))
        return losses.double().sum(1).tolist()


def answer_questions(
    model: LM, questions: Path, shots: Path, *, num_fewshot: int, cache: Path
) -> Sequence[Mapping[str, Any]]:
    """Return the harness's samples for a JSON-lines file of `question`, `choices` and `answer`, in its order.

    A sample holds the `doc`, `resps` (one `[(log-likelihood, greedy)]` for each choice), `acc` and `acc_bytes`.

    Args:
        model: who answers.
        questions: what is asked.
        shots: what is shown before each question, from its first `num_fewshot` lines.
        num_fewshot: how many.
        cache: a folder for the Arrow copies that `datasets` makes.
    """
    text = (resources.files("regraft.evaluation") / "task_files" / "cloze.yaml").read_text("utf-8")
    files = {"test": str(questions), "shots": str(shots)} if num_fewshot else {"test": str(questions)}
    task: dict[str, Any] = {
        **yaml.safe_load(text),
        "num_fewshot": num_fewshot,
        "dataset_kwargs": {"data_files": files, "cache_dir": str(cache)},
    }
    if not num_fewshot:
        del task["fewshot_split"], task["fewshot_config"]
    with _quiet(), _offline():
        loaded = TaskManager(include_defaults=False).load([task])
        results: Any = evaluator.evaluate(model, loaded, bootstrap_iters=0, log_samples=True)
    return sorted(results["samples"][task["task"]], key=lambda sample: sample["doc_id"])


@contextmanager
def _offline() -> Generator[None]:
    """Inside the block neither the hub's client nor `datasets` asks a network; afterwards all is as before."""
    flags = [
        (huggingface_hub.constants, "HF_HUB_OFFLINE"),
        (datasets.config, "HF_HUB_OFFLINE"),
        (datasets.config, "HF_DATASETS_OFFLINE"),
    ]
    before = [getattr(module, name) for module, name in flags]
    for module, name in flags:
        setattr(module, name, True)
    try:
        yield
    finally:
        for (module, name), value in zip(flags, before, strict=True):
            setattr(module, name, value)


@contextmanager
def _quiet() -> Generator[None]:
    """Inside the block the harness and `datasets` log errors only and draw no bars; afterwards all is as before."""
    loggers = [logging.getLogger(name) for name in ("lm_eval", "datasets")]
    levels = [logger.level for logger in loggers]
    harness: Any = lm_eval.api.task
    bar, bars = harness.tqdm, datasets.are_progress_bars_disabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    harness.tqdm = lambda items, **_: items
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        harness.tqdm = bar
        if not bars:
            datasets.enable_progress_bars()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
