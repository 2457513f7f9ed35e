"""What the fake upstream can do wrong: each fault changes one answer, or the way it is sent."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class End(Enum):
    """What happens to the connection once the body's bytes are out."""

    KEEP = "kept for the next request"
    CLOSE = "closed in order"
    RESET = "reset"
    STALL = "left open, silent, until the client goes away"


@dataclass
class Reply:
    """An answer before it is sent; faults change it in place.

    ``send_length`` says whether a Content-Length goes out, which is that of the whole ``body`` even where
    ``stop_after`` (bytes of the body; -1: not even the headers) ends the answer early.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    send_length: bool = True
    chunked: bool = False
    stop_after: int | None = None
    end: End = End.KEEP
    piece: int = 0
    """Bytes sent at a time; 0: all at once."""
    pause: float = 0.0
    """Seconds between pieces."""
    ranges: bool = True
    """Whether Range is honoured."""


class Fault(Protocol):
    """One thing that goes wrong.

    ``before`` sees the whole answer before Range and If-None-Match are looked at, ``after`` the very one that
    is about to be sent.
    """

    def before(self, reply: Reply) -> None:
        """Change the resource."""

    def after(self, reply: Reply) -> None:
        """Change the answer."""


class Healthy:
    """No fault: a place holder in a row of faults, and the base of the others."""

    def before(self, reply: Reply) -> None:
        pass

    def after(self, reply: Reply) -> None:
        pass


@dataclass(frozen=True)
class Status(Healthy):
    """A status of its own, with ``Retry-After`` as it is given."""

    status: int
    retry_after: str | int | None = None

    def after(self, reply: Reply) -> None:
        reply.status, reply.body = self.status, f"status {self.status}".encode()
        if self.status in {204, 304}:
            reply.body = b""
        reply.headers = {"Content-Type": "text/plain"}
        if self.retry_after is not None:
            reply.headers["Retry-After"] = str(self.retry_after)


@dataclass(frozen=True)
class Cut(Healthy):
    """The connection is closed in order after so many bytes of the body."""

    bytes: int

    def after(self, reply: Reply) -> None:
        reply.stop_after, reply.end = self.bytes, End.CLOSE


@dataclass(frozen=True)
class Reset(Healthy):
    """The connection is reset: before any answer, or after so many bytes of the body."""

    bytes: int = -1

    def after(self, reply: Reply) -> None:
        reply.stop_after, reply.end = self.bytes, End.RESET


@dataclass(frozen=True)
class Stall(Healthy):
    """Silence: no answer at all, or no more after so many bytes of the body."""

    bytes: int = -1

    def after(self, reply: Reply) -> None:
        reply.stop_after, reply.end = self.bytes, End.STALL


@dataclass(frozen=True)
class HangUp(Healthy):
    """A whole answer, and then an unannounced close: a kept-alive connection that is dead when used again."""

    def after(self, reply: Reply) -> None:
        reply.end = End.CLOSE


@dataclass(frozen=True)
class Drip(Healthy):
    """``piece`` bytes every ``pause`` seconds."""

    piece: int = 1
    pause: float = 0.05

    def after(self, reply: Reply) -> None:
        reply.piece, reply.pause = self.piece, self.pause


@dataclass(frozen=True)
class WrongBytes(Healthy):
    """As many bytes as there should be, all of them other ones."""

    def before(self, reply: Reply) -> None:
        reply.body = bytes(255 - byte for byte in reply.body)


@dataclass(frozen=True)
class Body(Healthy):
    """Another body, with a Content-Length that fits it and the ETag of the right one."""

    body: bytes

    def __repr__(self) -> str:
        """It names a test: the length stands for what is long."""
        return f"Body({self.body if len(self.body) < 100 else len(self.body)!r})"

    def before(self, reply: Reply) -> None:
        reply.body = self.body


@dataclass(frozen=True)
class Extra(Healthy):
    """More bytes at the end than the listed size, with a Content-Length that says so."""

    bytes: int = 1

    def before(self, reply: Reply) -> None:
        reply.body += b"x" * self.bytes


@dataclass(frozen=True)
class Header(Healthy):
    """One header changed, or with None left out."""

    name: str
    value: str | None

    def after(self, reply: Reply) -> None:
        reply.headers.pop(self.name, None)
        if self.value is not None:
            reply.headers[self.name] = self.value


def content_type(value: str | None) -> Header:
    """Another Content-Type, or none."""
    return Header("Content-Type", value)


@dataclass(frozen=True)
class NoEtag(Healthy):
    """No ETag and no Last-Modified."""

    def before(self, reply: Reply) -> None:
        for name in ("ETag", "Last-Modified"):
            reply.headers.pop(name, None)


@dataclass(frozen=True)
class Etag(Healthy):
    """Another ETag; the resource has changed, or the tag is a weak one."""

    value: str

    def before(self, reply: Reply) -> None:
        reply.headers["ETag"] = self.value


@dataclass(frozen=True)
class IgnoreRange(Healthy):
    """The whole file with 200, whatever range was asked for."""

    def before(self, reply: Reply) -> None:
        reply.ranges = False


@dataclass(frozen=True)
class Redirect(Healthy):
    """To another address, absolute or relative."""

    to: str
    status: int = 302

    def after(self, reply: Reply) -> None:
        reply.status, reply.body, reply.headers = self.status, b"elsewhere", {"Location": self.to}


@dataclass(frozen=True)
class Gzip(Healthy):
    """The body compressed, and labelled so."""

    def before(self, reply: Reply) -> None:
        reply.body = gzip.compress(reply.body, mtime=0)
        reply.headers["Content-Encoding"] = "gzip"


@dataclass(frozen=True)
class GzipBomb(Healthy):
    """A small compressed body that unpacks to ``size`` bytes."""

    size: int

    def before(self, reply: Reply) -> None:
        packer = zlib.compressobj(9, wbits=31)
        blocks, rest = divmod(self.size, 1 << 20)
        parts = [packer.compress(bytes(1 << 20)) for _ in range(blocks)]
        reply.body = b"".join([*parts, packer.compress(bytes(rest)), packer.flush()])
        reply.headers["Content-Encoding"] = "gzip"


@dataclass(frozen=True)
class Chunked(Healthy):
    """No Content-Length: Transfer-Encoding chunked."""

    def after(self, reply: Reply) -> None:
        reply.chunked, reply.send_length = True, False


@dataclass(frozen=True)
class UntilClose(Healthy):
    """No Content-Length: the body ends where the connection does."""

    def after(self, reply: Reply) -> None:
        reply.send_length, reply.end = False, End.CLOSE


@dataclass(frozen=True)
class HugeHeader(Healthy):
    """One header of so many bytes."""

    bytes: int

    def after(self, reply: Reply) -> None:
        reply.headers["X-Huge"] = "x" * self.bytes


@dataclass(frozen=True)
class Raw(Healthy):
    """These bytes in place of status line, headers and body; then the connection is closed."""

    data: bytes

    def after(self, reply: Reply) -> None:
        reply.status, reply.body, reply.end = 0, self.data, End.CLOSE
