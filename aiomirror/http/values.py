"""What goes into the client and what comes out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import msgspec

from aiomirror.discreet import Discreet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aiomirror.config import Config

MIB = 2**20


class HttpSettings(Discreet, frozen=True):
    """Every limit that a person may want to move, and on what terms hosts are talked to."""

    hidden: ClassVar[frozenset[str]] = frozenset({"index_url", "proxy", "tokens"})

    connections: int = 32
    """Simultaneous connections in all."""
    at_first: int | None = None
    """Of these, until the round trip is known; None: all."""
    per_host: int = 64
    """Simultaneous connections to one host."""
    rate: int = 0
    """Bytes a second that are taken in, all transfers together; 0: as many as come."""
    timeout: float = 30.0
    """Seconds: to connect, to the first byte of an answer, and of silence between two of its bytes."""
    min_rate: int = 1000
    """Bytes a second, over ``timeout`` seconds of waiting; a slower answer is broken off.  0: none is."""
    retries: int = 5
    """Attempts beyond the first."""
    retry_seconds: float = 300.0
    """Seconds spent waiting between the attempts of one operation, in all."""
    page_cap: int = 64 * MIB
    """Bytes of a page, once it is decompressed."""
    index_url: str = ""
    """The index: its ``user:password@``, the keyring and ``client_cert`` are for its origin alone."""
    proxy: str | None = None
    """What everything goes through, http or https; "": nothing does; None: as the environment says."""
    cert: Path | None = None
    """A file of authorities in PEM form, to be believed in place of the system's."""
    client_cert: Path | None = None
    """A file with a certificate and its key in PEM form."""
    trusted_hosts: tuple[str, ...] = ()
    """``host`` or ``host:port``: certificates are not looked at there."""
    tokens: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Bearer tokens by origin (``https://index.example``) or host."""
    keyring: bool = False
    """Whether the keyring is asked when the index wants credentials and none are known."""

    @classmethod
    def of(cls, config: Config) -> Self:
        """What a run is told of it."""
        return cls(
            connections=config.jobs,
            at_first=config.jobs_at_first,
            per_host=config.per_host,
            rate=config.limit_rate,
            timeout=config.timeout,
            min_rate=config.min_rate,
            retries=config.retries,
            index_url=config.index_url,
            **config.connection.fields(),
        )


class Validators(msgspec.Struct, frozen=True, gc=False):
    """What an earlier answer said to recognise itself by; header values as they came."""

    etag: str | None = None
    last_modified: str | None = None


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A page as it came; with ``status`` 304 there is no body, and what is held still holds."""

    url: str
    """Where it came from in the end, without credentials and fragment: links are relative to this."""
    status: int
    content_type: str | None
    body: bytes
    """Decompressed."""
    validators: Validators = Validators()
    last_serial: str | None = None
    """``X-PyPI-Last-Serial``, where upstream has it."""

    @property
    def etag(self) -> str | None:
        """The entity tag, as it came."""
        return self.validators.etag

    @property
    def last_modified(self) -> str | None:
        """The date of the last change, as it came."""
        return self.validators.last_modified


class Section(Protocol):
    """Where bytes go that follow each other."""

    @property
    def received(self) -> int:
        """Bytes held so far, from the first one on without a gap."""

    async def write(self, data: bytes, /) -> None:
        """Add these."""


class Sink(Section, Protocol):
    """Where the bytes of a file go; a partial file is one."""

    async def restart(self) -> None:
        """Forget everything received."""


class SplitSink(Sink, Protocol):
    """One that can also be filled in several places at once."""

    def section(self, start: int, count: int, /) -> Section:
        """Where ``count`` bytes go that begin at ``start``; forgotten by a restart like the rest."""
