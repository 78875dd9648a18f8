import pytest

from regraft.cli import main
from regraft.core import ConfigError, Execution, RawFiles, Store, plan, run
from regraft.lm.architecture import read_architecture
from regraft.lm.backbone import BackboneConfig, import_backbone
from regraft.lm.tiny import tiny_model_folder
from regraft.training.estimates.command import accelerator_of
from regraft.training.estimates.plan import estimate_lines, estimates, num_ranks, setup_of
from regraft.training.train import train
from tests.training.conftest import training


def planned_estimates(step, store, execution):
    found = estimates(plan([step], store, execution), store, execution, "h100")
    return {item.step.name: estimate for item, estimate in found}


def test_the_command_shows_memory_time_and_cost(capsys):
    assert main(["estimate", "--model", "llama-3-8b", "--recompute-activations"]) == 0
    shown = capsys.readouterr().out
    for said in ("activations", "all, which fits", "tokens/s", "5,422 accelerator-hours", "NVIDIA H100 datasheet"):
        assert said in shown


def test_the_command_fails_where_it_cannot_fit(capsys):
    assert main(["estimate", "--num", "1", "--accelerator", "l40s"]) == 2
    captured = capsys.readouterr()
    assert "does not fit" in captured.out
    assert "What would fit" in captured.err


def test_a_cpu_is_measured():
    cpu = accelerator_of("cpu", "float32")
    assert cpu.peak_flops > 1e9
    assert "measured" in cpu.source


def test_a_plan_estimates_trainings_whose_model_is_at_hand(tmp_path):
    store, execution = Store(tmp_path / "store"), Execution()
    step = training()
    assert planned_estimates(step, store, execution) == {}  # the model is still to be made
    run([step.inputs["model"][0]], store, execution)
    found = planned_estimates(step, store, execution)["train"]
    assert found.architecture == read_architecture(store.path(plan([step], store, execution)[0].id) / "model")
    assert found.setup == setup_of(step.config, execution)
    (line,) = estimate_lines(plan([step], store, execution), store, execution, "h100")
    assert line.startswith("train: about 6.")
    assert "h100-hours" in line
    run([step], store, execution)
    assert planned_estimates(step, store, execution) == {}  # nothing to train


def test_a_plan_refuses_what_cannot_fit(tmp_path):
    store, execution = Store(tmp_path / "store"), Execution(sequences_per_batch=2**20)
    step = training()
    run([step.inputs["model"][0]], store, execution)
    with pytest.raises(ConfigError, match="one sequence at a time") as raised:
        list(estimate_lines(plan([step], store, execution), store, execution, "h100"))
    assert raised.value.__notes__ == ["in the step train"]


def test_a_plan_estimates_from_a_local_folder_through_an_earlier_training(tmp_path):
    folder = tiny_model_folder(tmp_path / "base")
    store, execution = Store(tmp_path / "store"), Execution()
    base = import_backbone.step("base", BackboneConfig(folder=RawFiles(root=str(folder))))
    first = training()
    others = {"tokens": first.inputs["tokens"], "held_out": first.inputs["held_out"]}
    one = train.step("train/one", first.config, model=base, **others)
    two = train.step("train/two", first.config, model=one, **others)
    found = planned_estimates(two, store, execution)
    assert set(found) == {"train/one", "train/two"}
    assert found["train/two"].architecture == read_architecture(folder)


@pytest.mark.parametrize(
    ("launcher", "count"),
    [
        ("", 1),
        ("torchrun --nproc-per-node 8", 8),
        ("srun torchrun --nnodes=4 --nproc_per_node=8", 32),
        ("torchrun", 1),
    ],
)
def test_launchers_say_how_many_processes(launcher, count):
    assert num_ranks(launcher) == count


def test_a_launcher_that_counts_itself_is_refused():
    with pytest.raises(ConfigError, match="--nproc-per-node"):
        num_ranks("torchrun --nproc-per-node auto")
