"""Where a redirect leads, or why it is not followed.  Decides; does not go there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yarl import URL

from aiomirror.errors import RedirectError, UpstreamError
from aiomirror.http.origins import UNUSABLE, hostname, link_local, masked, parse

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

FOLLOWED = frozenset({301, 302, 303, 307, 308})
MOST = 5  # redirects in a row


def redirected(seen: Sequence[URL], location: str | None, named: Container[str] = ()) -> URL:
    """The next address after those ``seen``, the last of which answered with ``location``.

    ``named`` are the hosts that the person named.

    Raises:
        RedirectError: too many, in a circle, to nowhere, from https to http, to another scheme, or to an
            address of the own link that nobody named.
    """
    here = seen[-1]
    if not location:
        raise RedirectError(masked(here), "a redirect that does not say where to")
    target = _joined(here, location)
    if here.scheme == "https" and target.scheme == "http":
        raise RedirectError(masked(here), f"a redirect from https to http, to {masked(target)}")
    if link_local(target) and hostname(target.raw_host or "") not in named:
        raise RedirectError(masked(here), f"a redirect to a link-local address, {masked(target)}")
    if target in seen:
        raise RedirectError(masked(here), "a redirect in a circle")
    if len(seen) > MOST:
        raise RedirectError(masked(seen[0]), f"more than {MOST} redirects")
    return target


def _joined(here: URL, location: str) -> URL:
    try:
        target = parse(str(here.join(URL(location, encoded=location.isascii() and " " not in location))))
    except (UpstreamError, *UNUSABLE):
        raise RedirectError(masked(here), f"a redirect to {masked(location)}") from None
    # Whatever name and password stand there are not ours to use.
    return target.with_user(None)
