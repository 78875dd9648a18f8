from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import SchemaError
from regraft.corpus.matching import matching

SCHEMA = pa.schema([("step", pa.int64()), ("id", pa.string())])


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc"))), st.integers(1, 4))
def test_rows_are_found_wherever_they_lie(tmp_path_factory: pytest.TempPathFactory, rows: list, size: int) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.parquet"
    given_rows = [{"step": step, "id": id_} for step, id_ in rows]
    pq.write_table(pa.Table.from_pylist(given_rows, SCHEMA), path, row_group_size=size)
    for column, value in (("step", 3), ("id", "b"), ("id", "z"), ("step", 9)):
        found = [row for table in matching(path, SCHEMA, column, value) for row in table.to_pylist()]
        assert found == [row for row in given_rows if row[column] == value]


def test_only_groups_that_may_hold_a_value_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"step": list(range(100)), "id": [f"{i % 7}" for i in range(100)]}, SCHEMA)
    pq.write_table(table, path, row_group_size=10)
    read: list[tuple[int, object]] = []
    whole = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, i: int, columns: object = None, **more: object) -> pa.Table:
        read.append((i, columns))
        return whole(self, i, columns, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    assert [t.num_rows for t in matching(path, SCHEMA, "step", 42)] == [1]
    assert read == [(4, ["step"]), (4, None)]


def test_another_table_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"step": [1]}), tmp_path / "a.parquet")
    with pytest.raises(SchemaError, match="has the columns"):
        list(matching(tmp_path / "a.parquet", SCHEMA, "id", "a"))
    (tmp_path / "b.parquet").write_text("x")
    with pytest.raises(SchemaError, match="cannot be read as Parquet"):
        list(matching(tmp_path / "b.parquet", SCHEMA, "id", "a"))
