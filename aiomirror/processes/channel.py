"""Messages between two processes of the program, in the order in which they were sent."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, cast

from aiomirror.processes.messages import DECODER, ENCODER

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from aiomirror.processes.messages import Message

HEAD = struct.Struct("!I")
"""How many bytes follow."""


class Channel(asyncio.Protocol):
    """One end; ``got`` is called with each message, ``lost`` when no more can come.

    What is sent in one turn of the loop goes together, or, with ``linger``, in so many seconds: it costs both
    processes to look.
    """

    def __init__(
        self, got: Callable[[Message], None], lost: Callable[[], None], *, linger: float = 0
    ) -> None:
        self._got, self._lost, self._linger = got, lost, linger
        self._loop = asyncio.get_running_loop()
        self._leaving = bytearray()
        self._come = bytearray()

    async def open(self, connection: socket.socket) -> None:
        """Use ``connection``, a connected stream socket, which belongs to the channel from now on."""
        connection.setblocking(False)
        await self._loop.create_unix_connection(lambda: self, sock=connection)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop's side of it is there."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def send(self, message: Message) -> None:
        """Send a message; nobody gets it when the other end is gone."""
        if not self._leaving:
            self._loop.call_later(self._linger, self._flush)
        data = ENCODER.encode(message)
        self._leaving += HEAD.pack(len(data))
        self._leaving += data

    def _flush(self) -> None:
        data, self._leaving = self._leaving, bytearray()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Hand on the messages that are complete."""
        self._come += data
        messages, start = [], 0
        while (begin := start + HEAD.size) <= len(self._come):
            end = begin + HEAD.unpack_from(self._come, start)[0]
            if end > len(self._come):
                break
            messages.append(DECODER.decode(self._come[begin:end]))
            start = end
        del self._come[:start]
        for message in messages:
            self._got(message)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (it is gone, whatever the reason)
        """The other end is gone, or this one was closed."""
        self._lost()

    def close(self) -> None:
        """Send what was to be sent, and end it."""
        self._flush()
        self._transport.close()
