"""Memory of one process of a training, part by part, from sizes alone.

Formulas are for Transformers models run eagerly with fused attention (SDPA); a compiled layer keeps less.

Measured: activations are within 3 % of what autograd keeps. Of what a training on CPU adds to its resident size (steps
of two batches; SmolLM2-135M with two sequences of 512, a model of 15 M with four) the estimate is 0.97 in fp32, 1.01
with recomputation, 0.96 and 1.02 in bf16, where glibc gives freed memory back (MALLOC_MMAP_THRESHOLD_=1048576). As it
is by default, 0.83 to 0.89, and 0.57 for the small one: the rest is fragments. On accelerators nothing is measured.
"""

from dataclasses import astuple, dataclass

from regraft.lm.architecture import Architecture
from regraft.training.estimates.setup import Setup

LAYERS_IN_FLIGHT = 2
"""Layers that FSDP2 holds whole at once: the one that computes and the one that is fetched."""
CHUNK_BYTES = 16
"""For each logit of a chunk: itself and its softmax in fp32, the gradients of both, and what is in half precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes of one process by what they are for. All parts are there at once when a step has several batches."""

    masters: int
    """Parameters in fp32."""
    gradients: int
    moments: int
    """First and second of Adam."""
    average: int
    working: int
    """Weights as matrix products take them, where these are not the masters."""
    activations: int
    loss: int
    """One chunk of logits, and the gradient that it gives the head."""
    reserve: int
    """What the framework takes and what fragments."""

    @property
    def total(self) -> int:
        return sum(astuple(self))


def memory_of(architecture: Architecture, setup: Setup, reserve: int) -> Memory:
    """Return the memory of one process; `reserve` in bytes is for what is no tensor."""
    trainable, shards = architecture.trainable_parameters, setup.shards
    return Memory(
        masters=4 * architecture.parameters // shards,
        gradients=_gradients(architecture, setup),
        moments=8 * trainable // shards,
        average=4 * trainable // shards if setup.average else 0,
        working=_working(architecture, setup),
        activations=_activations(architecture, setup),
        loss=_loss(architecture, setup),
        reserve=reserve,
    )


def layer_activations(architecture: Architecture, setup: Setup) -> float:
    """Return the bytes of one token that a decoder layer keeps for its backward pass.

    In numbers of hidden size h, heads side by side a, MLP matrices side by side w: the inputs of the matrix products
    (2 h; under autocast 5 h, since each product casts its own), query, key, value and output of the attention (4 a, a
    mask makes Transformers repeat grouped keys and values to all heads; else 2 a + 2 kv), the MLP between its matrices
    (4/3 w: gate, up, the activated gate, and their product, each of a third of w), and the mask row. Two norms each
    keep their input in fp32 and what they normalised; attention keeps a log-sum in fp32 for each head.

    Source: Korthikanti et al. 2205.05198, section 4.1, which has 34 h bytes in bf16 for a GPT layer whose attention is
    computed again; here with RMSNorm, grouped queries and a gated MLP, without dropout.
    """
    h, a = architecture.hidden_size, architecture.attention_width
    key_value = a if setup.document_mask else architecture.kv_width
    mask = setup.sequence_length if setup.document_mask else 0
    products = (5 if setup.autocast else 2) * h + 2 * a + 2 * key_value + 4 * architecture.mlp_width / 3 + mask
    return setup.width * products + 2 * _norm(architecture, setup) + 4 * architecture.num_heads


def _norm(architecture: Architecture, setup: Setup) -> int:
    return (4 + _stream_width(setup)) * architecture.hidden_size


def _stream_width(setup: Setup) -> int:
    """Return the bytes of a number between layers: autocast leaves them in fp32."""
    return 4 if setup.autocast else setup.width


def _activations(architecture: Architecture, setup: Setup) -> int:
    """Return what all layers keep, or with recomputation the input of each and the whole of one."""
    tokens = setup.sequences_per_batch * setup.sequence_length
    layer, layers = layer_activations(architecture, setup), architecture.num_layers
    between = _stream_width(setup) * architecture.hidden_size
    kept = layers * between + layer if setup.recompute_activations else layers * layer
    return round(tokens * (kept + _norm(architecture, setup) + between))  # with the norm after the last layer


def _gradients(architecture: Architecture, setup: Setup) -> int:
    """Return gradients in fp32; FSDP2 scatters them after every batch."""
    return 4 * architecture.trainable_parameters // setup.shards


def _working(architecture: Architecture, setup: Setup) -> int:
    """Return the weights that are there beside the masters.

    FSDP2: embedding, head and last norm from the forward to the backward pass and some layers, with the gradients of
    as many, once as they are computed and once in fp32 as they are summed. Autocast: a copy of every matrix, kept for
    the backward pass.
    """
    if setup.layout == "fsdp":
        layers = LAYERS_IN_FLIGHT * architecture.layer_parameters
        root = architecture.parameters - architecture.num_layers * architecture.layer_parameters
        return setup.width * (root + layers) + (setup.width + 4) * max(root, layers)
    return setup.width * architecture.active_parameters if setup.autocast else 0


def _loss(architecture: Architecture, setup: Setup) -> int:
    from regraft.lm.cross_entropy import CHUNK_LOGITS, CHUNK_TOKENS

    vocabulary = architecture.vocab_size
    rows = max(1, min(CHUNK_TOKENS, CHUNK_LOGITS // vocabulary))
    head = (setup.width + 4 * setup.autocast) * vocabulary * architecture.hidden_size
    return CHUNK_BYTES * rows * vocabulary + head
