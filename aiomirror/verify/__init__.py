"""Verify and repair: what every page lists, compared with what is on disk, and set right if that is asked.

The rooms, upwards: ``compare`` (pure: pages and facts in, findings out), ``hashing`` (threads), ``inspector``
(one project looked at), ``mender`` (one project set right), ``run`` (all of it).
"""

from aiomirror.verify.run import verify

__all__ = ["verify"]
