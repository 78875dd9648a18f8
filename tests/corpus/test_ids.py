import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from regraft.corpus.ids import Ids


@given(st.lists(st.lists(st.text(max_size=4), max_size=4), max_size=4), st.data())
def test_they_are_a_sequence_however_the_column_is_cut(chunks: list[list[str]], data: st.DataObject) -> None:
    flat = [id_ for chunk in chunks for id_ in chunk]
    ids = Ids(pa.chunked_array(chunks, pa.string()))
    rows = data.draw(st.lists(st.integers(0, len(flat) - 1), max_size=8)) if flat else []
    assert list(ids) == flat
    assert len(ids) == len(flat)
    assert ids[1:-1] == flat[1:-1]
    assert [ids[row] for row in rows] == ids.at(rows) == ids.at(np.array(rows, np.int64)) == [flat[row] for row in rows]
