"""Carry packets between two tun devices, each some milliseconds late.  Needs root; started by ``latency.py``.

The devices take and give packets as the kernel's TCP makes them before segmentation (GSO, up to 64 KiB, with
the virtio header that says where to cut), so that a bulk transfer costs one read and one write for 44
segments, while slow start, window and acknowledgements are those of a path with an MTU of 1,500 bytes.

    python forwarder.py DELAY_SECONDS DEVICE DEVICE
"""

from __future__ import annotations

import fcntl
import gc
import os
import select
import struct
import sys
import time
from collections import deque

TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4 = 0x01, 0x02
LARGEST = 10 + 65_535
"""Bytes of one packet with its virtio header."""
BURST = 64
"""Packets read from one device before the other has its turn."""


def open_tun(name: str) -> int:
    """A descriptor of a new tun device, which goes when it is closed."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    fcntl.ioctl(descriptor, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4)
    return descriptor


class Way:
    """One direction: what was read, and when it is due."""

    def __init__(self, source: int, target: int, delay: float) -> None:
        self.source, self._target, self._delay = source, target, delay
        self._waiting: deque[tuple[float, bytes]] = deque()

    def read(self) -> None:
        """Take what has come, as of now."""
        due = time.monotonic() + self._delay
        for _ in range(BURST):
            try:
                self._waiting.append((due, os.read(self.source, LARGEST)))
            except BlockingIOError:
                return

    def write(self) -> None:
        """Give what is due."""
        waiting = self._waiting
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            try:
                os.write(self._target, waiting.popleft()[1])
            except OSError:  # a device that is down or full drops, as a network does; TCP sends again
                continue

    @property
    def due(self) -> float:
        """When the next packet is."""
        return self._waiting[0][0] if self._waiting else float("inf")


def forward(left: int, right: int, delay: float) -> None:
    """Run until killed."""
    ways = {left: Way(left, right, delay), right: Way(right, left, delay)}
    one, other = ways.values()
    while True:
        until = min(one.due, other.due) - time.monotonic()
        # select and not epoll: its time-out has microseconds, epoll's is rounded up to the next millisecond.
        readable, _, _ = select.select([left, right], [], [], None if until > 1 else max(0.0, until))
        for descriptor in readable:
            ways[descriptor].read()
        one.write()
        other.write()


def main(delay: str, left: str, right: str) -> None:
    """Open both devices, say so, forward."""
    devices = open_tun(left), open_tun(right)
    print("ready", flush=True)
    gc.disable()  # there are no cycles, and a collection is a pause
    forward(*devices, float(delay))


if __name__ == "__main__":
    main(*sys.argv[1:])
