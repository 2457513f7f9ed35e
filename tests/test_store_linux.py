"""What only Linux does, on a real disk."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from aiomirror.store.digests import Expectation
from aiomirror.store.draft import Draft
from aiomirror.store.hops import NICER, Hops
from aiomirror.store.linux import begin_writing, reserve, sync_file_system
from aiomirror.store.temporary import STRIDE, Temporary
from aiomirror.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has these")
MIB = 2**20
BLOCK = 512
"""Bytes in each of ``st_blocks``."""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    tree = Tree(tmp_path / "mirror")
    tree.open(create=True)
    yield tree
    tree.close()


def room(tree: Tree) -> tuple[int, int]:
    """Length of the one partial file, and the bytes that it takes on the disk."""
    (name,) = (one.name for one in tree.temporaries)
    found = os.stat(name, dir_fd=tree.partial)
    return found.st_size, found.st_blocks * BLOCK


def test_what_is_reserved_is_there_and_does_not_count(file: int) -> None:
    reserve(file, MIB, 3 * MIB)
    found = os.fstat(file)
    assert (found.st_size, found.st_blocks * BLOCK) == (0, 3 * MIB)
    os.pwrite(file, b"x", MIB)
    assert os.fstat(file).st_size == MIB + 1


def test_what_cannot_be_reserved_is_left_to_the_write(file: int) -> None:
    reserve(file, 0, 2**60)
    assert os.fstat(file).st_blocks == 0


def test_writing_is_begun_and_waited_for(file: int) -> None:
    os.pwrite(file, bytes(MIB), 0)
    begin_writing(file)
    begin_writing(file, 0, 4096)
    assert sync_file_system(file)


def test_a_failure_to_wait_is_told(file: int) -> None:
    closed = os.dup(file)
    os.close(closed)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_file_system(closed)


def test_a_file_reserves_a_stride_at_a_time_whatever_is_listed(tree: Tree) -> None:
    draft = Draft(tree, "six", "six-1.0.tar.gz", Expectation({}, size=2**40))
    draft.queue([bytes(MIB)], 0)
    draft.write()
    assert room(tree) == (MIB, STRIDE)
    draft.queue([bytes(MIB)], STRIDE - MIB)
    draft.write()
    assert room(tree) == (STRIDE, STRIDE)
    draft.queue([bytes(MIB)], 5 * STRIDE)
    draft.write()
    assert room(tree) == (5 * STRIDE + MIB, 2 * STRIDE)
    draft.reset()


def test_no_more_is_reserved_than_the_file_will_take(tree: Tree) -> None:
    with Temporary(tree, private=True, size=3 * MIB) as temporary:
        temporary.write([bytes(MIB)])
        assert room(tree) == (MIB, 3 * MIB)
        temporary.write([bytes(2 * MIB)], MIB)
        assert room(tree) == (3 * MIB, 3 * MIB)


def test_a_file_of_unknown_size_reserves_nothing(tree: Tree) -> None:
    with Temporary(tree, private=True) as temporary:
        temporary.write([bytes(MIB)])
        os.sync()  # until then it may take nothing at all
        assert room(tree) == (MIB, MIB)


async def test_busy_threads_give_way_to_the_others() -> None:
    hops = Hops()
    try:
        assert await hops.busy(niceness) == min(await hops.run(niceness) + NICER, 19)
        assert await hops.run(niceness) == niceness()
    finally:
        hops.close()


def niceness() -> int:
    """Of the thread that asks."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
