"""Loss of documents as a plain loop over Transformers gives it: documents as they come, padded to the longest of a
batch, whole logits, one cross-entropy over all of them. Prints seconds of the loop alone and the losses, as JSON.
"""

import argparse
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM


@torch.inference_mode()
def losses(model: torch.nn.Module, documents: list[list[int]], size: int) -> list[float]:
    """Return the summed loss of each document; `size` documents a batch."""
    found: list[float] = []
    for first in range(0, len(documents), size):
        batch = [torch.tensor(document) for document in documents[first : first + size]]
        ids = torch.nn.utils.rnn.pad_sequence(batch, batch_first=True)
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(d) for d in batch], batch_first=True)
        labels = F.pad(torch.where(mask.bool(), ids, -100)[:, 1:], (0, 1), value=-100)  # of the token that follows
        plain = {} if size == 1 else {"attention_mask": mask}
        logits = model(input_ids=ids, use_cache=False, **plain).logits
        each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="none")
        found += each.view_as(labels).double().sum(1).tolist()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=Path, required=True, help="JSON: a list of lists of token ids")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    documents = json.loads(given.documents.read_text("utf-8"))
    model = AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32).eval()
    losses(model, [documents[0][:64]], 1)  # warm
    start, cpu = time.perf_counter(), time.process_time()
    found = losses(model, documents, given.batch)
    print(json.dumps({
        "seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu, "losses": found,
    }))  # fmt: skip
