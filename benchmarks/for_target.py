"""Run pip with the markers of the target that ``--python-version`` and ``--platform`` name.

pip takes the target's wheel tags and its Requires-Python, but evaluates the markers of dependencies for the
machine that it runs on: on Linux it would never download what only Windows needs.  Nothing else of pip is
changed.  A program of its own, for it runs in pip's environment:

    python for_target.py download --python-version 3.12 --platform win_amd64 ...
"""

import os
import sys

PLATFORMS = {
    "manylinux_2_28_x86_64": ("posix", "linux", "x86_64"),
    "manylinux_2_28_aarch64": ("posix", "linux", "aarch64"),
    "musllinux_1_2_x86_64": ("posix", "linux", "x86_64"),
    "macosx_11_0_arm64": ("posix", "darwin", "arm64"),
    "win_amd64": ("nt", "win32", "AMD64"),
}
"""Wheel platform to ``os_name``, ``sys_platform`` and ``platform_machine``."""
SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}


def markers(python: str, platform: str) -> dict[str, str]:
    """The marker environment of CPython ``python`` (``3.12``) on ``platform``."""
    os_name, sys_platform, machine = PLATFORMS[platform]
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": os_name,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": SYSTEMS[sys_platform],
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": sys_platform,
    }


def main(arguments: list[str]) -> int:
    """Run pip; its exit code."""
    # Imported here: the names above are for the benchmarks, too, which need no pip.
    from pip._internal.cli.main import main as pip  # noqa: PLC0415
    from pip._vendor.packaging import markers as evaluated  # noqa: PLC0415

    python, platform = (arguments[arguments.index(name) + 1] for name in ("--python-version", "--platform"))
    environment = markers(python, platform)
    evaluated.default_environment = lambda: dict(environment)
    os.environ["PIP_CONFIG_FILE"] = os.devnull  # no settings of the machine's
    return int(pip(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
