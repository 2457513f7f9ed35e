"""The mirror's tree on disk: files that get their name once verified, pages that replace pages.

::

    DEST/index.html  index.v1_json                root pages
    DEST/<project>/index.html  index.v1_json      project pages
    DEST/<project>/<filename>[.metadata]          distribution files and their siblings
    DEST/.aiomirror/lock                          held (flock) by the run that has the mirror open
    DEST/.aiomirror/partial/                      everything that has no final name yet
    DEST/.aiomirror/aside/                        pages of upstream's that were not believed
    DEST/.aiomirror/state.sqlite                  not touched here

The rooms, upwards: ``linux``, ``faults`` and ``names`` (what the system and the callers may say),
``digests``, ``tree`` (descriptors, no link followed), ``lock``, then ``draft``, ``reading``, ``inspection``,
``siblings``, ``pages`` and ``removal`` (called in threads), ``hops`` (the threads), ``stretch``, ``partial``
and ``mirror`` (what the program awaits).
"""

from aiomirror.store.hops import cores
from aiomirror.store.inspection import Folder, Hashed
from aiomirror.store.mirror import Store
from aiomirror.store.pages import PageWrite, Published
from aiomirror.store.partial import Partial

__all__ = ["Folder", "Hashed", "PageWrite", "Partial", "Published", "Store", "cores"]
