"""What the person's keyring (the optional extra ``keyring``) holds for the index.

It is asked after a refusal, once, and never for a host that upstream chose.  Whatever is wrong with it is
said in the log, and the run goes on without.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING

from aiomirror.http.credentials import Credential
from aiomirror.http.origins import basic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yarl import URL

log = logging.getLogger(__name__)

PATIENCE = 60.0  # seconds: a locked keyring asks for its passphrase, and at night nobody answers


class Keyring:
    """The keyring, for the services that the index may be called there; ``patience`` in seconds."""

    def __init__(self, services: Sequence[str], patience: float = PATIENCE) -> None:
        self._services, self._patience = services, patience
        self._found: asyncio.Future[Credential | None] | None = None

    async def credential(self, user: str | None) -> Credential | None:
        """What it has for this user, or for any; all who ask get the answer to the first question."""
        if self._found is None:
            self._found = self._asked(user)
        return await asyncio.shield(self._found)

    def _asked(self, user: str | None) -> asyncio.Future[Credential | None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Credential | None] = loop.create_future()

        def settle(found: Credential | None) -> None:
            if not future.done():
                future.set_result(found)

        def give_up() -> None:
            log.info("the keyring has not answered within %g s; going on without it", self._patience)
            settle(None)

        def ask() -> None:
            found = look_up(self._services, user)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, found)

        timer = loop.call_later(self._patience, give_up)
        future.add_done_callback(lambda _: timer.cancel())
        # Not the loop's own threads: those are waited for at the end, and this one may wait for a person.
        threading.Thread(target=ask, name="keyring", daemon=True).start()
        return future


def services(index_url: URL) -> tuple[str, ...]:
    """What an index may be called: its address as it was written, with or without a slash, then its host."""
    url = index_url.with_user(None).with_fragment(None)
    written, bare = str(url), str(url).rstrip("/")
    return tuple(dict.fromkeys((written, bare, f"{bare}/", url.host_port_subcomponent or "")))


def look_up(names: Sequence[str], user: str | None) -> Credential | None:
    """The first credential there is; blocks as long as the backend likes."""
    try:
        import keyring  # noqa: PLC0415 (optional)

        for name in names:
            found = keyring.get_credential(name, user)
            if found is not None and found.password:
                return Credential(basic(found.username, found.password), "keyring")
    except ImportError:
        log.info("there is no keyring to ask; it comes with the extra aiomirror[keyring]")
    except Exception as error:  # noqa: BLE001 (backends are plug-ins, and raise what they like)
        log.info("the keyring cannot be asked: %s", type(error).__name__)
    return None
