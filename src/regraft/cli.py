"""The verbs: run, plan, report, rejects, trace, verify, recipes. Parameters are those of the recipe."""

import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from regraft.core import Asking, ConfigError, Execution, Planned, RegraftError, Run, Store

app = App(
    name="regraft",
    help="Continual pre-training: graft new abilities onto a pretrained language model, keep the old ones, and be able "
    "to say why.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # `main` says what was saved
)

RecipeName = Annotated[str, Parameter(allow_leading_hyphen=True)]
RecipeTokens = Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Means:
    """Where and how; never part of what is made."""

    store: Path = Path("store")
    """Directory of artifacts."""
    data: Path = Path()
    """Relative paths of raw files are taken from here."""
    cache: Path = Execution().cache
    """Downloads are kept here."""
    device: str = Execution().device
    """`cpu`, `cuda`, `cuda:1`."""
    workers: int = Execution().workers
    """Processes or threads a step may use."""
    engine: Literal["native", "ray"] = Execution().engine
    """Where dataflow runs."""
    endpoint: tuple[str, ...] = Asking().endpoints
    """OpenAI-compatible base URL to generate with; several serve the same model. None starts a server of our own."""
    concurrency: int = Asking().concurrency
    """Requests in flight at endpoints, at most."""
    requests_per_minute: float = Asking().requests_per_minute
    """To endpoints, at most; 0 for no limit."""
    tokens_per_minute: float = Asking().tokens_per_minute
    """To and from endpoints, at most; 0 for no limit."""
    request_timeout: float = Asking().timeout_s
    """Seconds for one answer of an endpoint."""
    prompt_price: float | None = Asking().prompt_price
    """What an endpoint charges for a million tokens of prompts, in any currency."""
    completion_price: float | None = Asking().completion_price
    """What it charges for a million tokens of answers."""
    budget_money: float = Asking().budget_money
    """What a step may spend, in that currency; what is left undone then goes on with a larger sum. 0 for no limit."""
    checkpoint_seconds: float = Execution().checkpoint_seconds
    """How often a long training saves what it needs to continue."""
    launcher: str = Execution().launcher
    """Command that starts the processes of a training, such as "torchrun --nproc-per-node 8"; empty for this one."""
    parallel: Literal["auto", "ddp", "fsdp"] = Execution().parallel
    """How several processes share a model: each holds all of it (ddp) or a part (fsdp)."""
    compile: Literal["auto", "on", "off"] = Execution().compile
    """Whether training compiles the decoder layers; auto where a self-test says that it pays."""
    attention: Literal["auto", "packed", "sdpa", "eager", "flex_attention"] = Execution().attention
    """With which kernel training attends; auto is packed on CPUs where a self-test allows it."""
    recompute_activations: bool = Execution().recompute_activations
    """Save memory in training: compute activations again in the backward pass."""
    sequences_per_batch: int = Execution().sequences_per_batch
    """Sequences that go through the model at once in training, in each process."""
    tracker: tuple[str, ...] = Execution().trackers
    """Where training also tells its figures: tensorboard, wandb, trackio. May be given several times."""
    provider_batches: bool = Asking().provider_batches
    """Ask the endpoint through its batch API (OpenAI format): cheaper, answers within a day."""
    unsafe_code: bool = Execution().unsafe_code
    """Run code that a model wrote also where it cannot be kept apart from this machine."""
    params: Path | None = None
    """TOML or YAML file of recipe parameters; the command line comes first."""

    def __post_init__(self) -> None:
        if self.workers < 1 or self.checkpoint_seconds < 0:
            raise ConfigError(
                f"--workers is {self.workers}, --checkpoint-seconds {self.checkpoint_seconds}; give at least 1 and 0."
            )

    @property
    def asking(self) -> Asking:
        return Asking(
            endpoints=self.endpoint,
            concurrency=self.concurrency,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            timeout_s=self.request_timeout,
            prompt_price=self.prompt_price,
            completion_price=self.completion_price,
            budget_money=self.budget_money,
            provider_batches=self.provider_batches,
        )

    @property
    def execution(self) -> Execution:
        return Execution(
            device=self.device,
            workers=self.workers,
            engine=self.engine,
            asking=self.asking,
            data_root=self.data,
            cache=self.cache,
            checkpoint_seconds=self.checkpoint_seconds,
            launcher=self.launcher,
            parallel=self.parallel,
            compile=self.compile,
            attention=self.attention,
            recompute_activations=self.recompute_activations,
            sequences_per_batch=self.sequences_per_batch,
            trackers=self.tracker,
            tracking=Store(self.store).reports / "tracking",
            unsafe_code=self.unsafe_code,
        )


DEFAULT = Means()


@app.command(help_flags=[])
def run(recipe: RecipeName = "", *tokens: RecipeTokens, means: Means = DEFAULT) -> int:
    """Run a recipe: make what is not in the store yet, then write the report.

    Parameters
    ----------
    recipe
        A shipped recipe (`regraft recipes`) or `file.py:function`. `regraft run RECIPE --help` shows its parameters.
    """
    if _asked_for_help("run", recipe, tokens):
        return 0
    from regraft.core import latest_run
    from regraft.core import run as run_steps
    from regraft.terminal import setup

    progress = setup()
    steps, parameters = _steps(recipe, tokens, means)
    store = Store(means.store)
    before = latest_run(store, recipe)
    record = run_steps(steps, store, means.execution, progress, recipe=recipe, parameters=parameters)
    _tell(store, record, new=before is None or before.steps != record.steps)
    return 0


@app.command(help_flags=[])
def plan(recipe: RecipeName = "", *tokens: RecipeTokens, accelerator: str = "", means: Means = DEFAULT) -> int:
    """Say what a run would make, reuse and re-make, why, and with which token budgets; make nothing.

    Parameters
    ----------
    recipe
        A shipped recipe or `file.py:function`.
    accelerator
        Also estimate memory and time of each training on this one, `h100` for instance (`regraft estimate --help`).
    """
    if _asked_for_help("plan", recipe, tokens):
        return 0
    from regraft.core import plan as plan_steps

    steps, _ = _steps(recipe, tokens, means)
    planned = plan_steps(steps, Store(means.store), means.execution)
    _print_plan(planned)
    if accelerator:
        from regraft.training.estimates.plan import estimate_lines

        for line in estimate_lines(planned, Store(means.store), means.execution, accelerator):
            print(line)
    return 0


@app.command
def report(*, recipe: str = "", store: Path = DEFAULT.store, out: Path | None = None) -> int:
    """Write the HTML report of the newest run in a store.

    Parameters
    ----------
    recipe
        Of this recipe only.
    store
        Directory of artifacts; the report is made from it alone.
    out
        File to write; by default `<store>/reports/<recipe>.html`.
    """
    from regraft.core import latest_run

    record = latest_run(Store(store), recipe)
    if record is None:
        raise RegraftError(
            f"{store} holds no finished run{f' of {recipe}' if recipe else ''}. `regraft run` makes one."
        )
    path = out or _report_path(Store(store), record)
    _write_report(Store(store), record, path)
    print(f"Report: {path}")
    return 0


@app.command
def trace(target: str = "", *, step: int = 0, document: str = "", store: Path = DEFAULT.store) -> int:
    """Follow a figure, an artifact, a training step or a document to what is behind it.

    Parameters
    ----------
    target
        A figure of the report (`F3`), an artifact or its beginning, a step of the recipe (`train/bilingual`), or the
        id of a document. Without it: the artifacts of the store.
    step
        With a training artifact: the documents which this optimizer step saw.
    document
        With a training artifact: the steps which saw the document of this id.
    store
        Directory of artifacts.
    """
    from regraft.tracing import trace_lines

    for line in trace_lines(Store(store), target, step, document):
        print(line)
    return 0


@app.command
def rejects(target: str = "", *, examples: int = 2, store: Path = DEFAULT.store) -> int:
    """Show what each rule of a curation dropped or changed: how many documents, and examples.

    Parameters
    ----------
    target
        A step (`corpus/filtered`), an artifact or the `.failed-` folder of a failed step; by default the step that
        failed last, or all corpora of the newest run if that is newer.
    examples
        Of each reason.
    store
        Directory of artifacts.
    """
    from regraft.rejections import rejection_lines

    for line in rejection_lines(Store(store), target, examples):
        print(line)
    return 0


@app.command
def verify(*, store: Path = DEFAULT.store) -> int:
    """Read every artifact again and compare it with its manifest; exit with 1 when one is damaged.

    Parameters
    ----------
    store
        Directory of artifacts.
    """
    from regraft.core import ArtifactError, damage, open_artifact

    directories = Store(store).directories()
    if not directories:
        raise RegraftError(f"{store} holds no artifacts. Give the --store that `regraft run` was given.")
    damaged = 0
    for path in directories:
        try:
            artifact = open_artifact(path)
            found, digest = damage(artifact), f"content {artifact.manifest.content_digest[:12]}"
        except ArtifactError as error:
            found, digest = [str(error)], ""
        damaged += bool(found)
        print(f"{'DAMAGED' if found else 'ok':8}{path.name:44} {digest}".rstrip())
        for line in found:
            print(f"        {line}")
    if damaged:
        print(f"{damaged} artifacts are damaged. Delete their directories and run the recipe again to make them anew.")
    return 1 if damaged else 0


@app.command
def recipes() -> int:
    """List the recipes that come with regraft."""
    from regraft.recipes.find import shipped_recipes

    for name, summary in shipped_recipes().items():
        print(f"{name:16}{summary}")
    return 0


app.command(
    "regraft.training.estimates.command:estimate",
    name="estimate",
    help="Estimate memory, time and accelerator-hours of a training from a model's config alone.",
)
app.command(
    "regraft.training.publish:export",
    name="export",
    help="Copy a model out of the store: a Transformers folder with tokenizer, model card and data card.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 done, 1 failed or damaged, 2 a wrong call, 130 interrupted."""
    try:
        return app(arguments, result_action="return_value") or 0
    except ConfigError as error:
        print(f"regraft: {error}", file=sys.stderr)
        return 2
    except RegraftError as error:
        print(f"regraft: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe, `head` for instance, has seen enough
        sys.stdout = None
        return 0
    except KeyboardInterrupt as stopped:
        print(f"regraft: {str(stopped) or 'interrupted'}; the same command continues.", file=sys.stderr)
        return 130


def _asked_for_help(verb: str, recipe: str, tokens: Sequence[str]) -> bool:
    words = [recipe, *tokens]
    if recipe and not {"--help", "-h"} & set(words):
        return False
    app.help_print([verb])
    if recipe and not recipe.startswith("-"):
        from regraft.parameters import show_help
        from regraft.recipes.find import find_recipe

        show_help(find_recipe(recipe), recipe)
    return True


def _steps(recipe: str, tokens: Sequence[str], means: Means) -> tuple[list[Any], dict[str, Any]]:
    from regraft.parameters import bind
    from regraft.recipes.find import find_recipe
    from regraft.recipes.pointing import pointing_to

    function = find_recipe(recipe)
    taken = {field.name for field in fields(Means)} & set(inspect.signature(function).parameters)
    if taken:
        raise ConfigError(
            f"{recipe}: {sorted(taken)} are options of the command itself; name the parameters otherwise."
        )
    parameters = bind(function, recipe, tokens, means.params)
    with pointing_to(Path(function.__code__.co_filename)):
        return function(**parameters), parameters


def _print_plan(planned: Sequence[Planned]) -> None:
    for item in planned:
        print(f"{item.action.value:9} {item.step.name:28} {item.id:44} {item.summary}".rstrip())
        for reason in item.reasons:
            print(f"{'':10}because {reason}")
    counts = {action: sum(p.action is action for p in planned) for action in dict.fromkeys(p.action for p in planned)}
    print(", ".join(f"{count} to {action.value}" for action, count in counts.items()))


def _tell(store: Store, record: Run, new: bool) -> None:
    """Print what came out and where the report is; write the report where the run differs from the one before."""
    from regraft.rejections import run_lines
    from regraft.report import headline

    path = _report_path(store, record)
    if new or not path.exists():
        _write_report(store, record, path)
    for line in headline(store, record) or run_lines(store, record):
        print(line)
    made = sum(action != "reuse" for action in record.actions.values())
    print(f"{made} of {len(record.steps)} steps made, the others reused.")
    print(f"Report: {path}")


def _report_path(store: Store, record: Run) -> Path:
    file, _, function = record.recipe.partition(":")
    return store.reports / f"{'-'.join(filter(None, (Path(file).stem, function))) or 'run'}.html"


def _write_report(store: Store, record: Run, path: Path) -> None:
    from regraft.report import write_report

    write_report(store, record, path)
