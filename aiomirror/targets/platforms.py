"""How a platform is spelt, and what follows from it for tags and markers.

The canonical spelling is the platform tag of wheels.  The names that uv gives platforms are taken too, and
mean what they mean there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from packaging.tags import mac_platforms

from aiomirror.targets.values import misspelt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_X86 = ("x86_64", "i686")
_LINUX_MACHINES = (*_X86, "aarch64", "armv7l", "ppc64", "ppc64le", "s390x", "riscv64", "loongarch64")
_MAC_MACHINES = ("arm64", "x86_64")
_WINDOWS_MACHINES = {"win_amd64": "AMD64", "win_arm64": "ARM64", "win32": "x86"}

_ALIASES = {
    "linux": "manylinux_2_28_x86_64",
    "macos": "macosx_13_0_arm64",
    "windows": "win_amd64",
    "x86_64-unknown-linux-gnu": "manylinux_2_28_x86_64",
    "aarch64-unknown-linux-gnu": "manylinux_2_28_aarch64",
    "riscv64-unknown-linux": "manylinux_2_39_riscv64",
    "x86_64-unknown-linux-musl": "musllinux_1_2_x86_64",
    "aarch64-unknown-linux-musl": "musllinux_1_2_aarch64",
    "aarch64-apple-darwin": "macosx_13_0_arm64",
    "x86_64-apple-darwin": "macosx_13_0_x86_64",
    "x86_64-pc-windows-msvc": "win_amd64",
    "aarch64-pc-windows-msvc": "win_arm64",
    "i686-pc-windows-msvc": "win32",
}
_LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Minor version of glibc 2 → the name from before PEP 600; the best first."""
_OLDEST_GLIBC, _OLDEST_GLIBC_X86 = 17, 5
"""Minor versions of glibc 2: no wheels are built for older ones."""
_FIRST_ARM_MACOS, _OLDEST_MACOS = (11, 0), (10, 4)
_LAST_MACOS_10 = (10, 16)
"""What macOS 11 calls itself to programs that were built for older ones."""

PLATFORM_VARIABLES = (
    "os_name",
    "platform_machine",
    "platform_release",
    "platform_system",
    "platform_version",
    "sys_platform",
)
"""The marker variables that depend on the platform."""
_FORMS = (
    "write a platform tag of wheels, as in manylinux_2_28_x86_64, manylinux2014_aarch64, "
    "musllinux_1_2_x86_64, linux_x86_64, macosx_13_0_arm64 (arm64 or x86_64), win_amd64, win_arm64, win32, "
    "or linux, macos, windows or current, or as in x86_64-unknown-linux-gnu, x86_64-manylinux_2_28"
)
_KNOWN = (
    *_ALIASES,
    *_WINDOWS_MACHINES,
    *(f"{machine}-manylinux_2_28" for machine in _LINUX_MACHINES),
    *(f"{kind}_{machine}" for kind in ("manylinux_2_28", "manylinux2014") for machine in _LINUX_MACHINES),
    *(f"{kind}_{machine}" for kind in ("musllinux_1_2", "linux") for machine in _LINUX_MACHINES),
    *(f"macosx_{major}_0_{machine}" for machine in _MAC_MACHINES for major in (13, 14, 15, 26)),
    "current",
)
_NUMBER = "(0|[1-9][0-9]?)"
_UV_LINUX = rf"({'|'.join(_LINUX_MACHINES)})-(manylinux[0-9_]+|musllinux[0-9_]+)"
_GLIBC = rf"manylinux_2_{_NUMBER}_(\w+)"
_MUSL = rf"musllinux_1_{_NUMBER}_(\w+)"
_MACOS = rf"macosx_{_NUMBER}_{_NUMBER}_(\w+)"


class Platform(msgspec.Struct, frozen=True):
    """An operating system on a kind of machine."""

    name: str
    """The canonical spelling."""
    tag: str
    """The best tag that wheels are built for."""
    tags: tuple[str, ...]
    """The platform tags of wheels that fit, best first."""
    environment: Mapping[str, str]
    """``PLATFORM_VARIABLES`` and their values."""

    def __hash__(self) -> int:
        return hash((self.name, self.tag))


def parse_platform(text: str) -> Platform:
    """A platform from its spelling, whatever its letter case; TargetError if it is none."""
    tag = _tag(text.strip().lower())
    platform = _linux(tag) or _macos(tag) or _windows(tag)
    if platform is None:
        raise misspelt(text, "platform", _FORMS, _KNOWN)
    return platform


def _tag(text: str) -> str:
    """The spelling as a platform tag, if it is one at all."""
    if text in _ALIASES:
        return _ALIASES[text]
    if uv := re.fullmatch(_UV_LINUX, text):
        text = f"{uv[2]}_{uv[1]}"
    text = re.sub("[-.]", "_", text)  # as `sysconfig.get_platform` has it: linux-x86_64, macosx-14.0-arm64
    for minor, legacy in _LEGACY_MANYLINUX.items():
        if text.startswith(f"{legacy}_"):
            return text.replace(legacy, f"manylinux_2_{minor}")
    return text


def _environment(os_name: str, sys_platform: str, system: str, machine: str) -> dict[str, str]:
    """As uv has it, release and version of the operating system empty: they are one machine's."""
    return dict(zip(PLATFORM_VARIABLES, (os_name, machine, "", system, "", sys_platform), strict=True))


def _linux(tag: str) -> Platform | None:
    if glibc := re.fullmatch(_GLIBC, tag):
        machine, platforms = glibc[2], list(_manylinux(int(glibc[1]), glibc[2]))
    elif musl := re.fullmatch(_MUSL, tag):
        machine = musl[2]
        platforms = [f"musllinux_1_{minor}_{machine}" for minor in range(int(musl[1]), -1, -1)]
    elif tag.startswith("linux_"):  # whatever the C library: no wheels but those built on the spot
        machine, platforms = tag.removeprefix("linux_"), [tag]
    else:
        return None
    if machine not in _LINUX_MACHINES or not platforms:
        return None
    # The tag of wheels that were built on the spot goes first, as in packaging since 26.3 and in uv.
    tags = tuple(dict.fromkeys([f"linux_{machine}", *platforms]))
    return Platform(tag, tag, tags, _environment("posix", "linux", "Linux", machine))


def _manylinux(newest: int, machine: str) -> Iterator[str]:
    """The tags that a glibc 2 of this minor version takes; none if it is older than all that wheels need."""
    oldest = _OLDEST_GLIBC_X86 if machine in _X86 else _OLDEST_GLIBC
    for minor in range(newest, oldest - 1, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if legacy := _LEGACY_MANYLINUX.get(minor):
            yield f"{legacy}_{machine}"


def _macos(tag: str) -> Platform | None:
    match = re.fullmatch(_MACOS, tag)
    if match is None or match[3] not in _MAC_MACHINES:
        return None
    machine, major, minor = match[3], int(match[1]), int(match[2])
    oldest = _FIRST_ARM_MACOS if machine == "arm64" else _OLDEST_MACOS
    if (major, minor) < oldest or _LAST_MACOS_10 < (major, minor) < _FIRST_ARM_MACOS:
        return None
    # Since macOS 11 wheels name the major version alone, so 14.5 is the same platform as 14.0.
    version = (major, minor if major < _FIRST_ARM_MACOS[0] else 0)
    tags = tuple(mac_platforms(version, machine))
    return Platform(tags[0], tags[0], tags, _environment("posix", "darwin", "Darwin", machine))


def _windows(tag: str) -> Platform | None:
    if tag not in _WINDOWS_MACHINES:
        return None
    return Platform(tag, tag, (tag,), _environment("nt", "win32", "Windows", _WINDOWS_MACHINES[tag]))
