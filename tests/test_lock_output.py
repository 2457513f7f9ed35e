"""The lock file of a run, and the next run that is held to it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from builders import make_wheel
from faults import Status

if TYPE_CHECKING:
    from pathlib import Path

    from mirror import Mirror


@pytest.fixture
def shop(mirror: Mirror) -> Mirror:
    """An upstream of a project with a dependency, and a mirror whose runs follow it."""
    mirror.follows = True
    for name, version, requires in (("top", "1.0", ["bottom"]), ("bottom", "1.0", [])):
        content = make_wheel(name, version, requires=requires)
        mirror.upstream.add_file(
            name, f"{name}-{version}-py3-none-any.whl", content=content, core_metadata=True
        )
    return mirror


def test_the_next_run_is_held_to_it(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    shop.sync("top", "--lock-output", str(lock))
    packages = tomllib.loads(lock.read_text())["packages"]
    assert {(one["name"], one["version"]) for one in packages} == {("top", "1.0"), ("bottom", "1.0")}
    shop.upstream.add_file("bottom", "bottom-2.0-py3-none-any.whl", content=make_wheel("bottom", "2.0"))
    before = shop.files()
    shop.sync("-r", str(lock))
    assert shop.files() == before


def test_it_is_the_same_after_every_run(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    shop.sync("top", "--lock-output", str(lock))
    first = lock.read_bytes()
    shop.sync("top", "--lock-output", str(lock))
    assert lock.read_bytes() == first
    assert not list(tmp_path.glob(".pylock*"))


def test_a_run_that_fails_leaves_the_lock_alone(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    lock.write_text("what was there\n")
    shop.upstream.always("/simple/bottom/", Status(403))
    shop.sync("top", "--lock-output", str(lock), code=1)
    assert lock.read_text() == "what was there\n"


def test_uv_installs_from_it(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    shop.sync("top", "--lock-output", str(lock))
    target = tmp_path / "installed"
    command = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-config", "--no-cache"]
    where = ["--python", sys.executable, "--target", str(target), "-r", str(lock), "--preview"]
    subprocess.run([*command, *where], check=True, capture_output=True, timeout=60)
    assert (target / "bottom.py").is_file()


def test_standard_output(shop: Mirror) -> None:
    ran = shop.sync("top", "--lock-output", "-", "-q")
    assert ran.out.startswith('lock-version = "1.0"')
