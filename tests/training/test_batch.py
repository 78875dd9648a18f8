import numpy as np
import pyarrow as pa

from regraft.corpus.ids import Ids
from regraft.corpus.packing import concat_and_cut
from regraft.corpus.tokens import TokenStore
from regraft.lm.loss import IGNORED
from regraft.mixture.shares import StreamKey
from regraft.training.batch import make_batch, num_predicted
from regraft.training.streams import PackedStream

KEY = StreamKey(language="en", source="web", topic="-")


def stream(skipped: list[int]) -> PackedStream:
    """Two documents, 0 1 2 3 4 and 10 11 12, in sequences of 6 tokens."""
    store = TokenStore(
        tokens=np.array([0, 1, 2, 3, 4, 10, 11, 12], np.uint16),
        ids=Ids(pa.chunked_array([["a", "b"]])),
        streams={("en", "web", "-"): np.array([0, 1])},
        offset=np.array([0, 5]),
        length=np.array([5, 3]),
        bytes=np.array([5, 3]),
        difficulty=np.array([0.5, 0.7]),
        measure="loss_per_byte",
        vocab_size=20,
        begin=None,
        end=None,
    )
    lengths = [5 - skipped[0], 3 - skipped[1]]
    return PackedStream(store, np.array([0, 1]), np.array(skipped), concat_and_cut(lengths, 6))


def test_labels_stop_at_the_end_of_each_document_and_positions_start_again() -> None:
    streams, served = {KEY: stream([0, 0])}, [(KEY, 0), (KEY, 1), None]
    batch = make_batch(streams, served, 6)
    x = IGNORED
    assert batch.input_ids.tolist() == [[0, 1, 2, 3, 4, 10], [11, 12, 0, 0, 0, 0], [0] * 6]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 4, 0], [0, 1, 0, 1, 2, 3], [0, 1, 2, 3, 4, 5]]
    assert batch.labels.tolist() == [[1, 2, 3, 4, x, x], [12, x, x, x, x, x], [x] * 6]
    assert batch.num_tokens == 8
    assert num_predicted(streams, served[:2]) == int((batch.labels != x).sum()) == 5


def test_micro_batches_keep_the_count_of_the_whole() -> None:
    parts = make_batch({KEY: stream([0, 0])}, [(KEY, 0), (KEY, 1)], 6).split(1)
    assert [part.input_ids.shape for part in parts] == [(1, 6), (1, 6)]
    assert {part.num_tokens for part in parts} == {8}


def test_what_was_consumed_before_is_not_served_again() -> None:
    rest = stream([3, 0])
    assert rest.named_pieces(0) == [("a", 3, 5), ("b", 0, 3)]
    assert make_batch({KEY: rest}, [(KEY, 0)], 6).input_ids.tolist() == [[3, 4, 10, 11, 12, 0]]
