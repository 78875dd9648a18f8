"""Raw files decompressed by the ending of their names: bounded in memory, and loud where a stream is cut.

A file may hold several compressed members back to back, as `cat a.gz b.gz` and every WARC archive do.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

CHUNK = 1 << 16
BUFFER = 1 << 20


class BrokenStream(ValueError):
    """A compressed stream that is cut, corrupt, or not what its name says; `offset` is where its member begins."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class Decoder(Protocol):
    """The standard library's way to decompress step by step, in which all our libraries agree."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """A way of compression."""

    name: str
    magic: bytes
    """The first bytes of every member."""
    new: Callable[[], Decoder]
    errors: tuple[type[Exception], ...]


def codec_of(name: str) -> Codec | None:
    """Return the compression that the ending of a file's name says, None for any other ending."""
    match PurePosixPath(name).suffix.lower():
        case ".gz" | ".gzip":
            from isal import igzip_lib

            new = lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)  # noqa: E731
            return Codec("gzip", b"\x1f\x8b\x08", new, (cast(Any, igzip_lib.IsalError), EOFError))
        case ".zst" | ".zstd":
            from backports import zstd

            return Codec("zstd", b"\x28\xb5\x2f\xfd", zstd.ZstdDecompressor, (zstd.ZstdError, EOFError))
        case ".bz2":
            import bz2

            return Codec("bzip2", b"BZh", bz2.BZ2Decompressor, (OSError, ValueError, EOFError))
        case ".xz":
            import lzma

            return Codec("xz", b"\xfd7zXZ\x00", cast(Any, lzma.LZMADecompressor), (lzma.LZMAError, EOFError))
        case _:
            return None


def decompressed(name: str, file: BinaryIO) -> BinaryIO:
    """Return the file to read from: `file` itself when its name says nothing of compression.

    Reading raises `BrokenStream` at the place where a stream is broken; all before it has been read by then.
    """
    codec = codec_of(name)
    return file if codec is None else io.BufferedReader(Inflated(file, codec), BUFFER)


class Inflated(io.RawIOBase):
    """The decompressed bytes of all members from byte `start` on, or of a `single` one."""

    def __init__(self, file: BinaryIO, codec: Codec, start: int = 0, single: bool = False) -> None:
        self.file, self.codec, self.single = file, codec, single
        self.start = start
        """Offset of the member at hand."""
        self.end = 0
        """Offset of the byte after the last member that was read whole."""
        self._pending, self._read = b"", start
        file.seek(start)
        self._decoder = self._next_member()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        view = memoryview(buffer)
        while self._decoder is not None:
            data = self._inflate(self._decoder, len(view))
            if self._decoder.eof:
                self._pending = self._decoder.unused_data
                self.end = self._read - len(self._pending)
                self._decoder = None if self.single else self._next_member()
            if data:
                view[: len(data)] = data
                return len(data)
        return 0

    def _next_member(self) -> Decoder | None:
        """Return a decoder for the member that begins here; None at the end of the file, zero padding aside."""
        while not (rest := self._pending.lstrip(b"\0")):
            self._pending = self._more()
            if not self._pending:
                return None
        self._pending, self.start = rest, self._read - len(rest)
        return self.codec.new()

    def _inflate(self, decoder: Decoder, size: int) -> bytes:
        data = b""
        if decoder.needs_input:
            data, self._pending = self._pending or self._more(), b""
            if not data:
                raise self._broken("ends too early")
        try:
            return decoder.decompress(data, size)
        except self.codec.errors as error:
            raise self._broken(f"is corrupt ({error})") from error

    def _broken(self, what: str) -> BrokenStream:
        self._decoder = None
        return BrokenStream(f"the {self.codec.name} stream that begins at byte {self.start} {what}", self.start)

    def _more(self) -> bytes:
        data = self.file.read(CHUNK)
        self._read += len(data)
        return data
