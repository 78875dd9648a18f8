import gzip
import io
import zlib
from collections.abc import Callable

import pytest
from backports import zstd

from regraft.core import ConfigError
from regraft.corpus.readers import Record, Unreadable
from regraft.corpus.warc import WarcPages
from tests.corpus.archives import page, record, response

PAGES = [response(n, page(n)) for n in range(6)]
CHINESE = "<html><body>软件包管理系统</body></html>"
GBK = ("200 OK", "Content-Type: text/html; charset=gbk")


def read(data: bytes, name: str = "a.warc", reader: WarcPages | None = None) -> list[Record | Unreadable]:
    return list((reader or WarcPages()).records(name, io.BytesIO(data)))


def numbers(found: list[Record | Unreadable]) -> list[int | str]:
    """Number of the page in each record, or the reason of the reject."""
    return [r.reject.reason if isinstance(r, Unreadable) else int(r.meta["url"].rpartition("/")[2]) for r in found]


def places(found: list[Record | Unreadable]) -> list[int]:
    return [int(record.place.rpartition(" ")[2]) for record in found]


def test_pages_come_with_address_date_and_offset() -> None:
    first, second = read(PAGES[0] + record("request", "x", b"GET / HTTP/1.1\r\n\r\n") + PAGES[1])
    assert first == Record(
        place="a.warc:byte 0",
        text=page(0).decode(),
        meta={"format": "html", "url": "https://example.org/0", "date": "2024-01-02T03:04:05Z"},
    )
    assert numbers([second]) == [1]


@pytest.mark.parametrize(("ending", "press"), [("gz", gzip.compress), ("zst", zstd.compress)])
def test_compressed_archives_are_read_by_member(ending: str, press: Callable[[bytes], bytes]) -> None:
    members = [press(each) for each in PAGES]
    found = read(b"".join(members), f"a.warc.{ending}")
    assert numbers(found) == [0, 1, 2, 3, 4, 5]
    assert places(found) == [sum(map(len, members[:n])) for n in range(6)]
    found = read(press(b"".join(PAGES)), f"a.warc.{ending}")
    assert [r.place for r in found][:2] == [f"a.warc.{ending}:byte 0", f"a.warc.{ending}:byte 0 record 1"]


def test_what_the_server_encoded_is_decoded() -> None:
    html, body = "Content-Type: text/html", page(3)
    encoded = [
        response(3, gzip.compress(body), "200 OK", html, "Content-Encoding: gzip"),
        response(3, zlib.compress(body), "200 OK", html, "Content-Encoding: deflate"),
        response(3, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), "200 OK", html, "Transfer-Encoding: chunked"),
    ]
    assert [r.text for r in read(b"".join(encoded)) if isinstance(r, Record)] == [body.decode()] * 3
    (found,) = read(response(0, CHINESE.encode("gbk"), *GBK))
    assert isinstance(found, Record)
    assert found.text == CHINESE


def test_what_is_no_page_is_said() -> None:
    html = "Content-Type: text/html"
    other = [
        response(0, b"gone", "404 Not Found"),
        response(1, b"\x89PNG", "200 OK", "Content-Type: image/png"),
        response(2, b"no gzip", "200 OK", html, "Content-Encoding: gzip"),
        response(3, b"\xff\xfe\x81\x20\xff" * 9, "200 OK", "Content-Type: text/html; charset=utf-8"),
        response(4, bytes(99)),
        response(5, b"x" * 5000),
        response(6, gzip.compress(b"x" * 100_000_000), "200 OK", html, "Content-Encoding: gzip"),
    ]
    found = read(b"".join(other), reader=WarcPages(max_bytes=4000))
    assert numbers(found)[:3] == ["http_status", "not_html", "broken_http"]
    assert numbers(found)[4:] == ["binary", "too_large", "too_large"]


def test_a_corrupt_member_loses_itself_and_nothing_else() -> None:
    members = [gzip.compress(each) for each in PAGES]
    members[2] = members[2][:30] + bytes(20) + members[2][50:]
    found = read(b"".join(members), "a.warc.gz")
    assert numbers(found) == [0, 1, "broken_stream", 3, 4, 5]
    assert places(found)[2:4] == [sum(map(len, members[:2])), sum(map(len, members[:3]))]


def test_a_lying_length_does_not_lose_the_next_record() -> None:
    for length in (len(page(2)) + 300, 10**12):
        found = read(b"".join([*PAGES[:2], response(2, page(2), length=length), *PAGES[3:]]))
        assert {"broken_warc"} < set(numbers(found)) >= {0, 1, 3, 4, 5}
    for length, reason in ((-5, "broken_warc"), (10, "http_status")):
        found = numbers(read(b"".join([*PAGES[:2], response(2, page(2), length=length), *PAGES[3:]])))
        assert found[2] == reason
        assert [n for n in found if isinstance(n, int)] == [0, 1, 3, 4, 5]


@pytest.mark.parametrize("cut", [3, 30, 100])
def test_a_cut_archive_is_said(cut: int) -> None:
    assert numbers(read(b"".join(PAGES)[:-cut])) == [0, 1, 2, 3, 4, 5 if cut < 4 else "broken_warc"]
    members = b"".join(map(gzip.compress, PAGES))
    whole = [5] if cut < 8 else []  # only the checksum is missing
    assert numbers(read(members[:-cut], "a.warc.gz"))[-2:] == [4, *whole, "broken_stream"][-2:]


def test_what_is_no_archive_is_said() -> None:
    assert numbers(read(b"hello\n" * 9)) == ["broken_warc"]
    assert numbers(read(b"hello\n" * 9, "a.warc.gz")) == ["broken_stream"]
    assert numbers(read(b"WARC/1.0\r\n" * 3)) == ["broken_warc"] * 3
    assert numbers(read(b"WARC/1.0\r\n" + b"a: b\r\n" * 2000)) == ["broken_warc"]
    assert numbers(read(b"garbage\r\n\r\n" + PAGES[0] + b"garbage\r\n\r\n" + PAGES[1])) == [
        "broken_warc",
        0,
        "broken_warc",
        1,
    ]
    assert read(b"") == read(b"", "a.warc.gz") == []
    with pytest.raises(ConfigError):
        WarcPages(max_bytes=0)
