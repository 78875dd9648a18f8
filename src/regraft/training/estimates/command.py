"""`regraft estimate`: memory, time and accelerator-hours of a training, from a model's config alone."""

from dataclasses import fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table

    from regraft.training.estimates.accelerators import Accelerator
    from regraft.training.estimates.estimate import Estimate

CPU = "cpu"
PARTS = {
    "masters": "parameters in fp32",
    "gradients": "gradients",
    "moments": "moments of Adam",
    "average": "average of the weights",
    "working": "weights in use",
    "activations": "activations",
    "loss": "logits of a chunk, gradient of the head",
    "reserve": "framework and fragments",
}


def estimate(
    model: str = "llama-3-8b",
    *,
    accelerator: str = "h100",
    num: int = 8,
    tokens: float = 100e9,
    sequence_length: int = 8_192,
    sequences_per_batch: int = 1,
    sequences_per_step: int = 128,
    layout: Literal["auto", "ddp", "fsdp"] = "auto",
    precision: Literal["float32", "bfloat16"] = "bfloat16",
    recompute_activations: bool = False,
    average: bool = False,
    mfu: float = 0.4,
) -> int:
    """Estimate memory, time and accelerator-hours of a training; fail with what to change when it cannot fit.

    Parameters
    ----------
    model
        A Transformers folder (its config.json is enough), or a published config: llama-3-8b, tinyllama-1.1b.
    accelerator
        a100-40gb, a100-80gb, h100, h100-pcie, h200, b200, l40s, rtx-4090, mi300x, or cpu, which is measured.
    num
        Accelerators, each with one process.
    tokens
        Budget.
    sequence_length
        Tokens of a sequence.
    sequences_per_batch
        Sequences that go through the model at once, in each process.
    sequences_per_step
        Sequences of an optimizer step, of all processes together.
    layout
        Whether each process holds all of the model (ddp) or a part (fsdp); auto shards.
    precision
        Of the matrix products.
    recompute_activations
        Compute activations again in the backward pass.
    average
        Keep a moving average of the weights.
    mfu
        Share of the peak that the model's operations are assumed to reach.
    """
    from rich.console import Console

    from regraft.lm.architecture import read_architecture
    from regraft.training.estimates.estimate import check_fits
    from regraft.training.estimates.estimate import estimate as estimated
    from regraft.training.estimates.setup import Setup

    setup = Setup(
        sequence_length=sequence_length,
        sequences_per_batch=sequences_per_batch,
        sequences_per_step=sequences_per_step,
        num_ranks=num,
        layout="whole" if num == 1 else "fsdp" if layout == "auto" else layout,
        precision=precision,
        recompute_activations=recompute_activations,
        average=average,
        assumed_mfu=mfu,
    )
    found = estimated(read_architecture(model), setup, accelerator_of(accelerator, precision))
    console = Console()
    console.print(memory_table(found))
    console.print("\n".join(time_lines(found, tokens)), highlight=False, soft_wrap=True)
    check_fits(found)
    return 0


def accelerator_of(name: str, precision: Literal["float32", "bfloat16"]) -> "Accelerator":
    """Return the published figures of an accelerator, or for `cpu` this machine's, measured in about a second."""
    from regraft.training.estimates.accelerators import find_accelerator, measured

    if name != CPU:
        return find_accelerator(name)
    import os

    from regraft.training.peak import measured_peak

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return measured(CPU, measured_peak(precision, CPU), memory)


def memory_table(found: "Estimate") -> "Table":
    """Return the memory of one process by part as a table."""
    from rich.table import Table

    from regraft.training.estimates.accelerators import GIB

    memory, have = found.memory, found.accelerator.memory_bytes
    table = Table(title=f"{found.architecture.name}: memory of each of {found.setup.num_ranks} processes", min_width=58)
    table.add_column("part")
    table.add_column("GiB", justify="right")
    table.add_column(f"of {found.accelerator.name}", justify="right")
    for part in (field.name for field in fields(memory)):
        size = getattr(memory, part)
        table.add_row(PARTS[part], f"{size / GIB:,.2f}", f"{size / have:.1%}")
    table.add_section()
    verdict = "fits" if found.fits else "does not fit"
    table.add_row(f"all, which {verdict}", f"{memory.total / GIB:,.2f}", f"{memory.total / have:.1%}")
    return table


def time_lines(found: "Estimate", tokens: float) -> list[str]:
    """Return size, speed and cost in sentences, with what they rest on."""
    architecture, setup, accelerator = found.architecture, found.setup, found.accelerator
    flops = architecture.training_flops(setup.sequence_length)
    bound = "communication" if found.communication_seconds > found.compute_seconds else "matrix products"
    return [
        f"{architecture.parameters:,} parameters, {architecture.embedding_parameters:,} of them embeddings"
        f"{' (tied to the head)' if architecture.tied else ''}; {flops / 1e9:,.2f} GFLOP a token.",
        f"{found.step_seconds:,.2f} s a step of {setup.tokens_per_step:,} tokens, bound by {bound} (products "
        f"{found.compute_seconds:,.2f} s, communication {found.communication_seconds:,.2f} s, optimizer "
        f"{found.optimizer_seconds:,.3f} s); {found.tokens_per_second:,.0f} tokens/s, MFU {found.mfu:.2f}.",
        f"{tokens:,.0f} tokens: {found.seconds(tokens) / 86_400:,.1f} days, "
        f"{found.accelerator_hours(tokens):,.0f} accelerator-hours, without evaluation, checkpoints and waits.",
        f"Assumed: {setup.assumed_mfu:.0%} of {accelerator.peak_flops / 1e12:,.1f} TFLOP/s ({accelerator.source}).",
    ]
