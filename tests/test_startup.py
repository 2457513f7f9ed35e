"""What a run does before its first request: it imports what it needs and no more.

Whatever is named here takes its time, and would be imported again by the first careless line.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tls import server_context, write_pem
from upstream import Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from mirror import Mirror

IMPORTED = "import json, sys; {}; print(json.dumps([code, *sys.modules]))"
RUN = IMPORTED.format("from aiomirror.cli import main; code = main(sys.argv[1:])")
COLLECT = """
import gc, json, sys
from aiomirror.cli import process
process.spare_collector()
first, code = gc.get_stats(), process.main(sys.argv[1:])
print(json.dumps([[one["collections"] for one in stats] for stats in (first, gc.get_stats())]))
assert code == 0
"""
FREED = """
import os
from aiomirror.cli import process
process.keep_memory()
pieces = [b"x" * 2**20 for _ in range(32)]
pieces.clear()
with open("/proc/self/statm") as table:
    print(int(table.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
"""
READ = """
import os, sys
from aiomirror.cli import main
code = main(sys.argv[1:])
from aiohttp import connector
contexts = connector._SSL_CONTEXT_VERIFIED, connector._SSL_CONTEXT_UNVERIFIED
print(code, os.environ.get("SSL_CERT_FILE"), *(len(one.get_ca_certs()) for one in contexts))
"""

SELDOM = {
    "aiomirror.dependencies.builds",
    "aiomirror.display",
    "aiomirror.distributions.tars",
    "aiomirror.explain",
    "aiomirror.http.retry",
    "aiomirror.lockfile",
    "aiomirror.rebuild",
    "aiomirror.requirements.locks",
    "aiomirror.simple.read_html",
    "aiomirror.verify",
    "difflib",
    "importlib.metadata",
    "keyring",
    "lxml",
    "packaging.metadata",
    "pypi_simple",
    "rich",
    "tarfile",
    "tenacity",
    "tomllib",
}
"""Not for a plain sync of wheels from an index that answers in JSON."""
FOLLOWING = {"aiomirror.dependencies", "aiomirror.http.ranges", "aiomirror.metadata", "aiomirror.resolution"}
RESOLVING = {"aiomirror.resolution.engine", "aiomirror.resolution.solver", "resolvelib"}
REQUIRING = {"packaging.markers", "packaging.requirements"}
"""The parser of requirements and markers, which names and pins do not need."""
NETWORK = {"aiohttp", "aiomirror.http", "aiomirror.sync"}
PROGRAM = {"aiomirror.cli.commands", "aiomirror.config", "argparse", "asyncio", "msgspec", "packaging"}


def said(script: str, *args: str, **variables: str) -> str:
    """What a process of its own prints."""
    command = [sys.executable, "-c", script, *args]
    environ = os.environ | variables
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def imported(*args: str) -> set[str]:
    """What a run imports that ends well."""
    code, *modules = json.loads(said(RUN, *args, "--quiet"))
    assert code == 0
    return set(modules)


def command(mirror: Mirror, *args: str) -> tuple[str, ...]:
    mirror.upstream.add_file("foo", "foo-1.0-py3-none-any.whl")
    return ("sync", "foo", "-i", mirror.upstream.url, "-d", str(mirror.dest), "--no-config", *args)


def test_a_run_without_dependencies(mirror: Mirror) -> None:
    modules = imported(*command(mirror, "--no-deps"))
    assert modules >= NETWORK
    assert not modules & (SELDOM | FOLLOWING | RESOLVING | REQUIRING)


def test_pins_need_no_parser(mirror: Mirror, tmp_path: Path) -> None:
    frozen = tmp_path / "frozen.txt"
    frozen.write_text("foo==1.0\nzope.foo==2026.10.18\n")
    mirror.upstream.add_file("zope-foo", "zope_foo-2026.10.18-py3-none-any.whl")
    assert not imported(*command(mirror, "--no-deps", "-r", str(frozen))) & REQUIRING


def test_nothing_is_collected_in_a_short_run(mirror: Mirror) -> None:
    """The collector would go through all that is imported, three times, and find nothing."""
    first, last = json.loads(said(COLLECT, *command(mirror, "--no-deps", "--quiet")))
    assert last == first


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_what_is_freed_is_kept_for_the_next_file() -> None:
    assert int(said(FREED)) > 32 * 2**20


def test_the_resolver_is_for_what_is_not_known_yet(mirror: Mirror) -> None:
    asked = command(mirror)
    first = imported(*asked)
    assert first >= FOLLOWING | RESOLVING
    assert not first & SELDOM
    second = imported(*asked)
    assert second >= FOLLOWING
    assert not second & (SELDOM | RESOLVING)


def test_what_asks_nobody_needs_no_network() -> None:
    code, *modules = json.loads(said(IMPORTED.format("import aiomirror.cli.commands; code = 0")))
    assert code == 0
    assert not set(modules) & (NETWORK | SELDOM)


def test_the_process_is_made_ready_before_the_program_is_read() -> None:
    """Its standard streams above all, and the collector, which imports would keep busy."""
    _, *modules = json.loads(said(IMPORTED.format("from aiomirror.cli import entry; code = entry and 0")))
    assert "aiomirror.cli.process" in modules
    assert not set(modules) & PROGRAM


@pytest.mark.parametrize("module", ["msgspec", "argparse", "packaging"])
def test_who_interrupts_while_the_program_is_read_sees_no_traceback(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    command = [sys.executable, "-m", "aiomirror", "sync", "foo", "-d", str(tmp_path / "mirror")]
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted\n")


def test_authorities_are_read_once_and_where_https_is_spoken(mirror: Mirror, tmp_path: Path) -> None:
    pem = write_pem(tmp_path)
    plain = said(READ, *command(mirror, "--quiet"), SSL_CERT_FILE=str(pem))
    assert plain.split() == ["0", str(pem), "0", "0"]
    with Upstream(tls=server_context(pem)) as upstream:
        upstream.add_file("foo", "foo-1.0-py3-none-any.whl")
        asked = ("sync", "foo", "-i", upstream.url, "-d", str(tmp_path / "secure"), "--quiet")
        assert said(READ, *asked, SSL_CERT_FILE=str(pem)).split() == plain.split()
