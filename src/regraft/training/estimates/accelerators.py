"""What accelerators can do, as their makers publish it. Not in the paper, which names no accelerator."""

from dataclasses import dataclass

from regraft.core import ConfigError

GIB = 2**30
"""Makers write GB for it: an H100 of 80 GB shows 79.6 GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One device of a training. Rates are per second and without sparsity."""

    name: str
    peak_flops: float
    """Of dense bf16 matrix products, summed in fp32."""
    memory_bytes: int
    memory_bandwidth: float
    """Bytes."""
    link_bandwidth: float
    """Bytes that it can send to the others of its node, in one direction."""
    source: str
    device_words: tuple[str, ...] = ()
    """All of which stand in the name that the driver gives it."""

    def __post_init__(self) -> None:
        if min(self.peak_flops, self.memory_bytes, self.memory_bandwidth, self.link_bandwidth) <= 0:
            raise ConfigError(f"{self.name}: rates and memory must be positive.")


ACCELERATORS = (
    Accelerator(
        name="a100-40gb",
        peak_flops=312e12,
        memory_bytes=40 * GIB,
        memory_bandwidth=1_555e9,
        link_bandwidth=300e9,
        source="NVIDIA A100 datasheet, SXM 40 GB; NVLink 600 GB/s in both directions",
        device_words=("A100", "SXM4", "40GB"),
    ),
    Accelerator(
        name="a100-80gb",
        peak_flops=312e12,
        memory_bytes=80 * GIB,
        memory_bandwidth=2_039e9,
        link_bandwidth=300e9,
        source="NVIDIA A100 datasheet, SXM 80 GB; NVLink 600 GB/s in both directions",
        device_words=("A100", "SXM4", "80GB"),
    ),
    Accelerator(
        name="h100",
        peak_flops=989.4e12,
        memory_bytes=80 * GIB,
        memory_bandwidth=3_350e9,
        link_bandwidth=450e9,
        source="NVIDIA H100 datasheet, SXM: half of 1,979 TFLOP/s with sparsity; NVLink 900 GB/s in both directions",
        device_words=("H100", "HBM3"),
    ),
    Accelerator(
        name="h100-pcie",
        peak_flops=756e12,
        memory_bytes=80 * GIB,
        memory_bandwidth=2_000e9,
        link_bandwidth=64e9,
        source="NVIDIA H100 datasheet, PCIe: half of 1,513 TFLOP/s with sparsity; PCIe 5 128 GB/s in both directions, "
        "without the NVLink bridge",
        device_words=("H100", "PCIe"),
    ),
    Accelerator(
        name="h200",
        peak_flops=989.4e12,
        memory_bytes=141 * GIB,
        memory_bandwidth=4_800e9,
        link_bandwidth=450e9,
        source="NVIDIA H200 datasheet, SXM: half of 1,979 TFLOP/s with sparsity; NVLink 900 GB/s in both directions",
        device_words=("H200",),
    ),
    Accelerator(
        name="b200",
        peak_flops=2_250e12,
        memory_bytes=180 * GIB,
        memory_bandwidth=8_000e9,
        link_bandwidth=900e9,
        source="NVIDIA HGX B200 datasheet: an eighth of the board, half of the rate with sparsity; NVLink 1.8 TB/s in "
        "both directions",
        device_words=("B200",),
    ),
    Accelerator(
        name="l40s",
        peak_flops=362.05e12,
        memory_bytes=48 * GIB,
        memory_bandwidth=864e9,
        link_bandwidth=32e9,
        source="NVIDIA L40S datasheet: rate without sparsity; PCIe 4 64 GB/s in both directions",
        device_words=("L40S",),
    ),
    Accelerator(
        name="rtx-4090",
        peak_flops=165.2e12,
        memory_bytes=24 * GIB,
        memory_bandwidth=1_008e9,
        link_bandwidth=32e9,
        source="NVIDIA Ada GPU architecture whitepaper, appendix A: bf16 with fp32 accumulation, dense; PCIe 4 x16",
        device_words=("RTX 4090",),
    ),
    Accelerator(
        name="mi300x",
        peak_flops=1_307.4e12,
        memory_bytes=192 * GIB,
        memory_bandwidth=5_300e9,
        link_bandwidth=448e9,
        source="AMD Instinct MI300X datasheet; Infinity Fabric, seven links of 128 GB/s in both directions",
        device_words=("MI300X",),
    ),
)


def find_accelerator(name: str) -> Accelerator:
    """Return the published figures of an accelerator by its short name, such as `h100`.

    Raises:
        ConfigError: there are none.
    """
    for accelerator in ACCELERATORS:
        if accelerator.name == name.lower():
            return accelerator
    raise ConfigError(f"There is no accelerator {name!r}; choose from {', '.join(a.name for a in ACCELERATORS)}, cpu.")


def recognise(device_name: str) -> Accelerator | None:
    """Return the published figures for the name that a driver gives a device, None where they are not known here."""
    return next((a for a in ACCELERATORS if all(word in device_name for word in a.device_words)), None)


def measured(device: str, peak_flops: float, memory_bytes: int) -> Accelerator:
    """Return this machine as an accelerator, its rate as measured; processes share its memory, which is their link.

    20 GB/s stands for the memory of a machine of which nothing else is known.
    """
    return Accelerator(
        name=device,
        peak_flops=peak_flops,
        memory_bytes=memory_bytes,
        memory_bandwidth=20e9,
        link_bandwidth=10e9,
        source="measured on this machine, with bandwidths that are assumed",
    )
