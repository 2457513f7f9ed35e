"""Small, real, reproducible distributions: the same arguments give the same bytes on every machine."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ZIP_DATE = (2020, 2, 2, 0, 0, 0)
TAR_DATE = 1_580_601_600  # the same moment, in seconds since 1970


def module_name(name: str) -> str:
    """The module that a distribution made here installs; it holds ``__version__``."""
    return name.lower().replace("-", "_").replace(".", "_")


def make_metadata(
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    metadata_extra: str = "",
) -> bytes:
    """The text of METADATA and PKG-INFO; ``metadata_extra`` is whole lines, each with its line break."""
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return ("\n".join(lines) + "\n" + metadata_extra).encode()


def make_wheel(
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    tag: str = "py3-none-any",
    metadata_extra: str = "",
) -> bytes:
    """A wheel that pip and uv install: one module that states its version."""
    metadata = make_metadata(
        name, version, requires=requires, requires_python=requires_python, metadata_extra=metadata_extra
    )
    info = f"{module_name(name)}-{version}.dist-info"
    members = {
        f"{module_name(name)}.py": f'__version__ = "{version}"\n'.encode(),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": _wheel_text(tag),
    }
    members[f"{info}/RECORD"] = _record(members, f"{info}/RECORD")
    return zip_bytes(members)


def make_sdist(
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    metadata_extra: str = "",
) -> bytes:
    """A ``.tar.gz`` source distribution with PKG-INFO 2.2, a pyproject.toml and one module."""
    return _tar_gz(_sdist_members(name, version, requires, requires_python, metadata_extra))


def make_zip_sdist(
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    metadata_extra: str = "",
) -> bytes:
    """As :func:`make_sdist`, as ``.zip``."""
    return zip_bytes(_sdist_members(name, version, requires, requires_python, metadata_extra))


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    """A zip archive of these members, in this order, with fixed dates and modes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            entry = zipfile.ZipInfo(path, ZIP_DATE)
            entry.create_system = 3  # Unix, also where the tests run on something else
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


def _wheel_text(tag: str) -> bytes:
    pure = "true" if tag.endswith("none-any") else "false"
    pythons, abis, platforms = tag.split("-")
    tags = (
        f"{py}-{abi}-{p}"
        for py in pythons.split(".")
        for abi in abis.split(".")
        for p in platforms.split(".")
    )
    lines = [
        "Wheel-Version: 1.0",
        "Generator: builders",
        f"Root-Is-Purelib: {pure}",
        *(f"Tag: {t}" for t in tags),
    ]
    return ("\n".join(lines) + "\n").encode()


def _record(members: Mapping[str, bytes], own_path: str) -> bytes:
    rows = [f"{path},sha256={_record_digest(data)},{len(data)}" for path, data in members.items()]
    return "\n".join([*rows, f"{own_path},,", ""]).encode()


def _record_digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _sdist_members(
    name: str, version: str, requires: Iterable[str], requires_python: str | None, metadata_extra: str
) -> dict[str, bytes]:
    root = f"{module_name(name)}-{version}"
    requires = list(requires)
    project = ["[project]", f'name = "{name}"', f'version = "{version}"', f"dependencies = {requires!r}"]
    if requires_python is not None:
        project.append(f'requires-python = "{requires_python}"')
    build = ["[build-system]", 'requires = ["setuptools"]', 'build-backend = "setuptools.build_meta"', ""]
    metadata = make_metadata(
        name, version, requires=requires, requires_python=requires_python, metadata_extra=metadata_extra
    )
    return {
        f"{root}/PKG-INFO": metadata,
        f"{root}/pyproject.toml": "\n".join([*project, "", *build]).encode(),
        f"{root}/{module_name(name)}.py": f'__version__ = "{version}"\n'.encode(),
    }


def _tar_gz(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in members.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mtime, entry.mode = len(data), TAR_DATE, 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)
