import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.corpus.columnar import ArrowTable, ParquetTable
from regraft.corpus.jsonlines import JsonLines
from regraft.corpus.plaintext import PlainText
from regraft.corpus.readers import Reader, Record, Unreadable

ITEM = {
    "question": "Which gas do plants take up?",
    "choices": {"text": ["oxygen", "carbon dioxide"], "label": ["A", "B"]},
    "answer": "B",
    "lang": "en",
    "dotted.name": "kept",
    "page": {"url": "https://example.org/1"},
    "score": 0.5,
    "tags": ["a", "b"],
    "none": None,
    "id": 7,
}


def read(reader: Reader, data: bytes, name: str = "a") -> list[Record | Unreadable]:
    return list(reader.records(name, io.BytesIO(data)))


def texts(reader: Reader, data: bytes) -> list[str]:
    return [record.text if isinstance(record, Record) else record.reject.reason for record in read(reader, data)]


def test_several_fields_become_one_text_and_others_are_kept() -> None:
    reader = JsonLines(
        text=("question", "choices.text", "answer"),
        separator=" | ",
        id="id",
        language="lang",
        url="page.url",
        keep=("dotted.name", "score", "tags", "none", "absent"),
    )
    (record,) = read(reader, json.dumps(ITEM).encode())
    assert record == Record(
        place="a:1",
        text="Which gas do plants take up? | oxygen | carbon dioxide | B",
        key="7",
        language="en",
        meta={"url": "https://example.org/1", "dotted.name": "kept", "score": "0.5", "tags": '["a","b"]'},
    )


def test_a_path_leads_through_lists() -> None:
    talk = {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]}
    assert texts(JsonLines(text="messages.content"), json.dumps(talk).encode()) == ["one\ntwo"]


@pytest.mark.parametrize("path", ["absent", "choices", "choices.absent", "score", "none", "question.deeper", "tags.x"])
def test_a_field_that_is_no_text_is_said(path: str) -> None:
    (found,) = read(JsonLines(text=("question", path)), json.dumps(ITEM).encode())
    assert isinstance(found, Unreadable)
    assert found.reject.reason == "missing_field"
    assert f"no text {path!r}" in found.reject.detail


@given(st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text())))
def test_lines_are_read_as_the_standard_library_reads_them(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["text"] = "t"
    lines = [json.dumps(row, ensure_ascii=n % 2 == 0) for n, row in enumerate(rows)]
    encoded = "\n".join(lines).encode("utf-8", "surrogatepass")
    found = read(JsonLines(), encoded)
    assert len(found) == len(rows)
    assert all(isinstance(record, Record) or record.reject.reason == "encoding" for record in found)


def test_what_pandas_writes_is_read() -> None:
    assert texts(JsonLines(), b'{"text": "one", "score": NaN}') == ["one"]


@pytest.mark.parametrize(
    "settings", [{"text": ""}, {"text": ()}, {"text": ("a", "")}, {"keep": ("",)}, {"max_bytes": 0}]
)
def test_unnamed_fields_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="name fields"):
        JsonLines(**settings)


TEXT = b"\xef\xbb\xbfone\r\nstill one\n\n \n\ntwo\n" + b"x" * 50 + b"\nstill two\n\nthr\xffee\n\n\nfour"


def test_plain_text_is_cut_as_asked() -> None:
    bounded = PlainText(per="paragraph", max_bytes=30)
    assert texts(bounded, TEXT) == ["one\r\nstill one", "too_large", "encoding", "four"]
    assert texts(PlainText(per="paragraph"), TEXT)[1] == "two\n" + "x" * 50 + "\nstill two"
    places = [record.place for record in read(bounded, TEXT)]
    assert places == ["a:1", "a:6", "a:10", "a:13"]
    lines = texts(PlainText(per="line", max_bytes=30), TEXT)
    assert lines == ["one", "still one", "two", "too_large", "still two", "encoding", "four"]
    assert texts(PlainText(), b"one\n\ntwo\n") == ["one\n\ntwo\n"]


def test_plain_text_in_other_encodings() -> None:
    assert texts(PlainText(encoding="gb18030", per="line"), "一行\n二行".encode("gb18030")) == ["一行", "二行"]
    assert texts(PlainText(encoding="utf-16"), "一行\n".encode("utf-16")) == ["一行\n"]
    for settings in ({"encoding": "utf-16", "per": "line"}, {"encoding": "none"}, {"max_bytes": 0}):
        with pytest.raises(ConfigError):
            PlainText(**settings)  # pyright: ignore[reportArgumentType]


def table(rows: int = 1000) -> pa.Table:
    return pa.table(
        {
            "body": [f"text {n} " + "word " * (n % 50) for n in range(rows)],
            "page": [{"url": f"u{n}"} for n in range(rows)],
            "unused": [[n] * 20 for n in range(rows)],
        }
    )


def parquet(given: pa.Table, **settings: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(given, sink, row_group_size=300, **settings)
    return sink.getvalue()


def arrow(given: pa.Table, new: Any = pa.ipc.new_stream) -> bytes:
    sink = io.BytesIO()
    with new(sink, given.schema) as writer:
        writer.write_table(given, max_chunksize=300)
    return sink.getvalue()


@pytest.mark.parametrize("form", ["parquet", "stream", "file"])
def test_tables_are_read_row_by_row_in_order(form: str) -> None:
    reader = (ParquetTable if form == "parquet" else ArrowTable)(text="body", url="page.url")
    data = parquet(table()) if form == "parquet" else arrow(table(), getattr(pa.ipc, f"new_{form}"))
    found = read(reader, data)
    assert [record.place for record in found] == [f"a:{n + 1}" for n in range(1000)]
    assert all(isinstance(record, Record) and record.meta["url"] == f"u{n}" for n, record in enumerate(found))


def test_a_broken_row_group_loses_itself_and_nothing_else() -> None:
    data = bytearray(parquet(table(), compression="zstd"))
    column = pq.ParquetFile(io.BytesIO(bytes(data))).metadata.row_group(1).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    found = read(ParquetTable(text="body"), bytes(data))
    assert [record.place for record in found if isinstance(record, Unreadable)] == ["a:row-group 1"]
    rows = [record.place for record in found if isinstance(record, Record)]
    assert rows == [f"a:{n}" for n in (*range(1, 301), *range(601, 1001))]


def test_tables_that_are_none_are_said() -> None:
    assert texts(ParquetTable(), b"PAR1 and nothing else PAR1") == ["broken_parquet"]
    assert texts(ParquetTable(), parquet(table())[:-100]) == ["broken_parquet"]
    assert texts(ParquetTable(), parquet(table())) == ["missing_field"]
    assert texts(ParquetTable(text="body", keep=("absent",)), parquet(table())) == ["missing_field"]
    assert texts(ArrowTable(), b"no arrow at all") == ["broken_arrow"]
    assert texts(ArrowTable(), arrow(table())) == ["missing_field"]


@pytest.mark.parametrize("cut", [1, 8, 30_000])
def test_a_cut_stream_keeps_its_whole_batches(cut: int) -> None:
    data = arrow(table())
    *rows, last = read(ArrowTable(text="body"), data[:-cut])
    assert isinstance(last, Unreadable)
    assert last.place == f"a:after row {len(rows)}"
    assert len(rows) == (1000 if cut < 100 else 900)


def test_bad_texts_in_a_table_are_single_rejects() -> None:
    given = pa.table({"text": pa.array([b"one", b"\xff", None, b"x" * 99], pa.binary()).view(pa.string())})
    assert texts(ParquetTable(max_bytes=50), parquet(given)) == ["one", "encoding", "missing_field", "too_large"]


def test_a_saved_dataset_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict({"text": ["one", "two", "three"]}).select([2, 0]).save_to_disk(tmp_path / "saved")
    (path,) = (tmp_path / "saved").glob("**/*.arrow")
    assert texts(ArrowTable(), path.read_bytes()) == ["three", "one"]
