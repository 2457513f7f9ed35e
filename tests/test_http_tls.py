"""Whose certificates are believed, where they are not looked at, and who is shown one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from aiomirror.errors import ConfigError, UnreachableError, UntrustedError
from aiomirror.http import HttpSettings
from aiomirror.simple.values import ACCEPT
from exchange import CONTENT, NAME, PAGE, fetched, running
from faults import Redirect
from tls import Authority
from upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


# -- authorities


async def test_authorities_of_ones_own(authority: Authority) -> None:
    async with (
        Upstream(tls=authority.server()) as secure,
        running(HttpSettings(cert=authority.pem)) as client,
    ):
        secure.add_file("a", NAME, content=CONTENT)
        assert (await fetched(client, secure.file_url("a", NAME))).data == CONTENT


async def test_they_stand_in_place_of_the_systems(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem))
    other = Authority(tmp_path, "other")
    async with Upstream(tls=authority.server()) as secure, running(HttpSettings(cert=other.pem)) as client:
        with pytest.raises(UntrustedError):
            await client.get_page(secure.url, accept=ACCEPT)
        assert not secure.requests


# -- trusted hosts


@pytest.mark.parametrize("ported", [False, True])
async def test_a_trusted_hosts_certificate_is_not_looked_at(authority: Authority, *, ported: bool) -> None:
    async with Upstream(tls=authority.server("elsewhere.example")) as secure:
        host = secure.base.removeprefix("https://") if ported else "127.0.0.1"
        async with running(HttpSettings(trusted_hosts=(host,))) as client:
            assert (await client.get_page(secure.url, accept=ACCEPT)).status == 200


async def test_trust_is_for_that_port(authority: Authority) -> None:
    async with Upstream(tls=authority.server()) as trusted, Upstream(tls=authority.server()) as other:
        trusted.always(PAGE, Redirect(other.url))
        settings = HttpSettings(trusted_hosts=(trusted.base.removeprefix("https://"),))
        async with running(settings) as client:
            with pytest.raises(UntrustedError):
                await client.get_page(trusted.url + "a/", accept=ACCEPT)
        assert trusted.requests
        assert not other.requests


# -- certificates of the client


async def test_a_clients_certificate_is_shown_to_the_index_alone(authority: Authority) -> None:
    mine = authority.issue("me")
    async with (
        Upstream(tls=authority.server(clients=True)) as index,
        Upstream(tls=authority.server(clients=True)) as other,
    ):
        settings = HttpSettings(cert=authority.pem, client_cert=mine, index_url=index.url, retries=0)
        async with running(settings) as client:
            assert (await client.get_page(index.url, accept=ACCEPT)).status == 200
            index.always("/out", Redirect(other.url))
            with pytest.raises(UnreachableError):
                await client.get_page(index.base + "/out", accept=ACCEPT)
        assert not other.requests


async def test_a_clients_certificate_goes_with_a_trusted_host(authority: Authority) -> None:
    async with Upstream(tls=authority.server("elsewhere.example", clients=True)) as index:
        settings = HttpSettings(
            client_cert=authority.issue("me"), trusted_hosts=("127.0.0.1",), index_url=index.url
        )
        async with running(settings) as client:
            assert (await client.get_page(index.url, accept=ACCEPT)).status == 200


# -- what cannot be used is said before anything is asked


def missing(folder: Path) -> Path:
    return folder / "missing.pem"


def empty(folder: Path) -> Path:
    path = folder / "empty.pem"
    path.touch()
    return path


def folder_itself(folder: Path) -> Path:
    return folder


def without_key(folder: Path) -> Path:
    return Authority(folder, "keyless").pem


def anothers_key(folder: Path) -> Path:
    one, other = (Authority(folder, name).issue("me").read_text() for name in ("one", "other"))
    path = folder / "mixed.pem"
    mark = "-----BEGIN CERTIFICATE-----"
    path.write_text(one.partition(mark)[0] + mark + other.partition(mark)[2])
    return path


def encrypted(folder: Path) -> Path:
    path = Authority(folder, "locked").issue("me")
    key = load_pem_private_key(path.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    path.write_bytes(locked + path.read_bytes()[path.read_bytes().index(b"-----BEGIN CERT") :])
    return path


@pytest.mark.parametrize(
    ("option", "made", "why"),
    [
        ("cert", missing, "cannot read it: No such file or directory"),
        ("cert", empty, "there are no certificates in PEM form in it"),
        ("cert", folder_itself, ""),
        ("client_cert", missing, "cannot read it: No such file or directory"),
        ("client_cert", empty, "not a certificate and its key, both in PEM form"),
        ("client_cert", folder_itself, ""),
        ("client_cert", without_key, "not a certificate and its key, both in PEM form"),
        ("client_cert", anothers_key, "not a certificate and its key, both in PEM form"),
        ("client_cert", encrypted, "its key is encrypted, and nobody can be asked for the passphrase"),
    ],
)
async def test_files_that_cannot_be_used(
    tmp_path: Path, option: str, made: Callable[[Path], Path], why: str
) -> None:
    path = made(tmp_path)
    with pytest.raises(ConfigError) as caught:
        async with running(HttpSettings(**{option: path})):  # type: ignore[arg-type] # (both are paths)
            pass
    assert str(caught.value).startswith(f"--{option.replace('_', '-')} {path}: {why}")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


async def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    settings = HttpSettings(
        proxy="socks5://me:s3cret@proxy.example",
        cert=missing(tmp_path),
        client_cert=missing(tmp_path),
        trusted_hosts=("https://me:s3cret@index.example/", "fine.example", "[::1]:8080"),
    )
    with pytest.raises(ConfigError) as caught:
        async with running(settings):
            pass
    options = [problem.partition(" ")[0].rstrip(":") for problem in caught.value.problems]
    assert options == ["--proxy", "--trusted-host", "--cert", "--client-cert"]
    assert "s3cret" not in str(caught.value)
