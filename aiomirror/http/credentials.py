"""Which credentials go with a request, by origin, and in which order they count.

What is given for an origin (scheme, host, port) is sent there and nowhere else, whatever redirects say and
whatever pages link to; what is given for a host, only where nobody listens in.  A URL outweighs a token, that
netrc, and that the keyring.
"""

from __future__ import annotations

import netrc
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from aiomirror.discreet import Discreet
from aiomirror.errors import ConfigError, UpstreamError
from aiomirror.http.origins import basic, hostname, origin, parse, userinfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from yarl import URL

TOKEN = "AIOMIRROR_TOKEN"  # noqa: S105 (the name of the variable)
REFUSALS = frozenset({401, 403})

_TOKEN = re.compile(r"[!-~]+")
_NAME = re.compile(r"[a-z0-9.-]+")


class Credential(Discreet, frozen=True):
    """An Authorization header, and where it comes from, for people to read."""

    hidden: ClassVar[frozenset[str]] = frozenset({"header"})

    header: str
    source: str
    user: str | None = None
    """Who it is for, when the password is yet to be found."""


class Credentials:
    """What is known of each origin; ``tokens`` as :class:`HttpSettings` has them, ``by_host`` out of netrc.

    ``private`` tells whether nobody listens in on what is sent to an address, or the person does not mind;
    ``index`` is what the person has named.
    """

    def __init__(
        self,
        tokens: Mapping[str, str],
        by_host: Mapping[str, str],
        private: Callable[[URL], bool],
        index: URL | None = None,
    ) -> None:
        self._index = None if index is None else origin(index)
        self._by_origin: dict[str, Credential] = {}
        self._unlocked: dict[str, Credential] = {}
        self._tokens = {_place(place): token for place, token in tokens.items()}
        self._by_host, self._private = by_host, private

    def remember(self, url: URL) -> None:
        """Keep what a URL that the person wrote says about its own origin."""
        if (header := userinfo(url)) is not None:
            user = None if url.raw_password else url.user
            self._by_origin[origin(url)] = Credential(header, "the URL", user)

    def unlock(self, name: str, found: Credential) -> None:
        """Keep what the keyring has for an origin of which too little was known."""
        self._unlocked[name] = found

    def of(self, url: URL) -> Credential | None:
        """What goes with a request to this address."""
        name = origin(url)
        found = self._unlocked.get(name) or self._by_origin.get(name)
        if found is not None:
            return found
        host = hostname(url.raw_host or "")
        token = self._tokens.get(name)
        # What is for a host is for any port of it; a link to http must not bring it to light.
        private = self._private(url)
        if token is None and private:
            token = self._tokens.get(host)
        if token is not None:
            return Credential(f"Bearer {token}", "the token")
        header = self._by_host.get(url.host or "") if private or name == self._index else None
        return None if header is None else Credential(header, "netrc")


def _place(place: str) -> str:
    """An origin or a host in the form in which they are looked up."""
    try:
        return origin(parse(place)) if "://" in place else hostname(place)
    except UpstreamError:
        raise ConfigError("a token for what is neither an origin nor a host") from None


def tokens(environ: Mapping[str, str], index_url: str) -> dict[str, str]:
    """The bearer tokens of the environment, by origin and by host.

    ``AIOMIRROR_TOKEN`` is for the origin of the index, ``AIOMIRROR_TOKEN_FILES_EXAMPLE`` for the host
    files.example.  A dash in a name is two underscores: were it one, whoever registers files-example as a
    name would be sent the token of files.example as soon as a page links there.  An empty variable is not
    set.

    Raises:
        ConfigError: a token that no header can hold; it is not repeated.
    """
    found: dict[str, str] = {}
    problems = []
    for name, value in sorted(environ.items()):
        place = _named_by(name, index_url)
        token = value.strip()
        if not place or not token:
            continue
        if _TOKEN.fullmatch(token):
            found[place] = token
        else:
            problems.append(f"{name}: not a token: spaces, control characters or letters beyond ASCII in it")
    if problems:
        raise ConfigError(*problems)
    return found


def _named_by(variable: str, index_url: str) -> str:
    """The origin or host that a variable of the environment is about; "" for other variables."""
    if variable == TOKEN:
        try:
            return origin(parse(index_url))
        except UpstreamError:
            return ""  # which the first request will say
    head, _, rest = variable.partition(f"{TOKEN}_")
    return "" if head else rest.lower().replace("__", "-").replace("_", ".")


def variable(host: str) -> str | None:
    """The variable of the environment that has the token for a host; None where none can."""
    if not _NAME.fullmatch(host):
        return None
    return f"{TOKEN}_{host.replace('-', '__').replace('.', '_').upper()}"


def read_netrc() -> Mapping[str, str]:
    """Authorization headers by host, from the file that NETRC names or from ``~/.netrc``.

    A ``default`` entry is left out: upstream chooses hosts, and would be sent it.
    """
    try:
        path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
        hosts = netrc.netrc(path).hosts
    except (OSError, RuntimeError, ValueError, netrc.NetrcParseError):
        # Not there, not readable, no home at all (cron), or damaged: as if there were none.
        return {}
    return {
        host: basic(login or "", password or "")
        for host, (login, _, password) in hosts.items()
        if host != "default"
    }


def hint(credential: Credential | None, url: URL, *, own: bool) -> str:
    """What to say after a refusal; ``own`` for the index's origin."""
    shown = url.origin()
    if credential is not None:
        return f"credentials from {credential.source} were sent to {shown}"
    token = TOKEN if own else variable(hostname(url.raw_host or ""))
    places = ["the URL", "netrc", token, "keyring"] if own else ["netrc", token]
    *others, last = (place for place in places if place)
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"no credentials known for {shown}: put them in {listed}"
