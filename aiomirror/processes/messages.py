"""What the process that holds the mirror and its helpers tell each other, and as which bytes."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from aiomirror.fetch import Fetched  # noqa: TC001 (msgspec reads annotations at run time)
from aiomirror.plan import FileJob, JobKey  # noqa: TC001 (as above)


class _Message(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Any of them."""


class Ask(_Message, frozen=True):
    """To a helper: run this job, and answer under its key."""

    job: FileJob


class Places(_Message, frozen=True):
    """To a helper: so many requests more, or fewer, may be on their way from it."""

    more: int


class Resting(_Message, frozen=True):
    """Either way: a host has asked to be let alone, until then by the clock that all processes share."""

    origin: str
    until: float


class Received(_Message, frozen=True):
    """From a helper: so many more bytes of a job's file; negative when an attempt begins anew."""

    key: JobKey
    count: int


class Warned(_Message, frozen=True):
    """From a helper: something odd."""

    text: str


class Answered(_Message, frozen=True):
    """From a helper: what became of a job, and the bytes that were not told of yet."""

    key: JobKey
    fetched: Fetched
    received: int
    requests: int
    """How many it has sent by now, for all jobs."""


class Unusable(_Message, frozen=True):
    """From a helper: the DestinationError that ended a job."""

    key: JobKey
    path: str
    why: str


class Broken(_Message, frozen=True):
    """From a helper: the bug that ended a job, as a traceback."""

    key: JobKey
    traceback: str


Message = Ask | Places | Resting | Received | Warned | Answered | Unusable | Broken
ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(Message)
