"""WARC records as crawlers write them."""


def response(number: int, body: bytes, status: str = "200 OK", *headers: str, length: int = 0) -> bytes:
    given = headers or ("Content-Type: text/html; charset=utf-8",)
    http = "\r\n".join([f"HTTP/1.1 {status}", *given, "", ""]).encode() + body
    return record("response", f"https://example.org/{number}", http, length)


def record(type_: str, url: str, block: bytes, length: int = 0) -> bytes:
    lines = [
        "WARC/1.0",
        f"WARC-Type: {type_}",
        f"WARC-Target-URI: {url}",
        "WARC-Date: 2024-01-02T03:04:05Z",
        f"WARC-Record-ID: <urn:{url}>",
        f"Content-Length: {length or len(block)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + block + b"\r\n\r\n"


def page(number: int) -> bytes:
    return f"<html><body><p>Page {number} says {'a word ' * 200}.</p></body></html>".encode()
