"""Keyring backends: a JSON file that FILE_KEYRING names, by service and user; and one that is locked."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.credentials import SimpleCredential


class FileKeyring(KeyringBackend):
    """Selected by ``PYTHON_KEYRING_BACKEND=file_keyring.FileKeyring``, or set by a test."""

    priority = 1

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # (keyring's own)
        self._path = path or Path(os.environ["FILE_KEYRING"])
        self.asked: list[tuple[str, str | None]] = []

    def _users(self, service: str) -> dict[str, str]:
        held: dict[str, dict[str, str]] = json.loads(self._path.read_text())
        return held.get(service, {})

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.append((service, username))
        return self._users(service).get(username)

    def get_credential(self, service: str, username: str | None) -> SimpleCredential | None:
        self.asked.append((service, username))
        found = self._users(service)
        user = next(iter(found), None) if username is None else username
        return SimpleCredential(user, found[user]) if user in found and user is not None else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


class LockedKeyring(KeyringBackend):
    """Waits for a person to unlock it, and then has nothing."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # (keyring's own)
        self.waiting, self.unlocked = threading.Event(), threading.Event()

    def get_password(self, service: str, username: str) -> None:
        self.get_credential(service, username)

    def get_credential(self, service: str, username: str | None) -> None:
        self.waiting.set()
        self.unlocked.wait()

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError
