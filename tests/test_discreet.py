"""What is printed of records that hold secrets."""

from __future__ import annotations

from typing import ClassVar

from rich.pretty import pretty_repr

from aiomirror.discreet import Discreet


class Login(Discreet, frozen=True):
    hidden: ClassVar = frozenset({"password"})

    user: str
    password: str
    tries: int = 3


def test_what_is_hidden_is_not_printed() -> None:
    login = Login("me", "hunter2")
    assert login.password == "hunter2"
    for text in (repr(login), str(login), f"{[login]}", pretty_repr(login)):
        assert text.strip("[]") == "Login(user='me', tries=3)"


def test_what_is_hidden_counts() -> None:
    assert Login("me", "hunter2") != Login("me", "hunter3")
    assert hash(Login("me", "hunter2")) == hash(Login("me", "hunter2"))
