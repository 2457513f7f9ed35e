"""Coverage-guided fuzzing of all that reads what others wrote; ``-m fuzz``, with the extra ``fuzz``.

Each target has a time, not a number of runs: what it finds in a nightly run depends on the machine.  The
seeds are whole inputs, since a mutator does not come upon a page by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("fuzz_harness.py")
SECONDS = int(os.environ.get("AIOMIRROR_FUZZ_SECONDS", "20"))
"""For each target."""
LIMITS = ("-max_len=4096", "-timeout=10", "-rss_limit_mb=2048")

DIGEST = "ab" * 32
ENTRY = {
    "filename": "foo-1.0-py3-none-any.whl",
    "url": "../../files/foo-1.0-py3-none-any.whl",
    "hashes": {"sha256": DIGEST, "md5": "ab" * 16},
    "size": 5,
    "requires-python": ">=3.8",
    "yanked": "it is bad",
    "upload-time": "2024-05-06T07:08:09.123456Z",
    "core-metadata": {"sha256": DIGEST},
    "provenance": "https://index.example/p",
}
PAGE = {
    "meta": {"api-version": "1.4", "_last-serial": 7},
    "name": "foo",
    "versions": ["1.0"],
    "files": [ENTRY],
    "project-status": {"status": "archived", "reason": "done"},
}
ROOT = {"meta": {"api-version": "1.0"}, "projects": [{"name": "foo"}, {"name": "Foo.Bar"}]}
HTML = f"""utf-8
<!DOCTYPE html><html><head><base href="../"><meta charset=utf-8>
<meta name="pypi:repository-version" content="1.4"><meta name="pypi:project-status" content="archived">
</head><body><a href="files/foo-1.0.tar.gz#sha256={DIGEST}" data-requires-python="&gt;=3.8" data-yanked=""
data-core-metadata="sha256={DIGEST}" data-size="5">foo-1.0.tar.gz</a><br></body></html>"""
NAMED = f"""foo==1.0 --hash=sha256:{DIGEST}
-r b.txt
-c c.txt
--pre
bar[x]>=1; python_version>'3' # no more\\
"""
PYLOCK = f"""lock-version = "1.0"
created-by = "x"
[[packages]]
name = "foo"
version = "1.0"
[[packages.wheels]]
name = "foo-1.0-py3-none-any.whl"
hashes = {{sha256 = "{DIGEST}"}}
"""
UV_LOCK = f"""version = 1
[[package]]
name = "foo"
version = "1.0"
[package.source]
registry = "https://index.example/simple"
[package.sdist]
url = "https://index.example/foo-1.0.tar.gz"
hash = "sha256:{DIGEST}"
"""
PYPROJECT = """[project]
name = "x"
dependencies = ["foo>=1"]
[project.optional-dependencies]
y = ["bar"]
"""
SEEDS: dict[str, list[str]] = {
    "json-page": [json.dumps(PAGE), json.dumps(ROOT), json.dumps({**PAGE, "versions": [1]})],
    "html-page": [HTML, HTML.replace("utf-8", "utf-16", 1), "latin-1\n<a href=foo/>Foo</a>"],
    "file-name": ["foo\nfoo-1.0-py3-none-any.whl", "foo-bar\nFoo.Bar-1.0.post1.tar.gz", "a\na-1-py3.6.egg"],
    "link": [
        f"https://h.example/simple/foo/\n../../x/foo-1.0.zip#sha256={DIGEST}",
        "http://[::1]:80/\n//h/%7E",
    ],
    "requirements": ["\0" + NAMED, "\1" + PYLOCK, "\2" + UV_LOCK, "\5" + PYPROJECT],
    "content-range": ["seven77\nbytes 7-99/100", "x\nbytes 1-2/*", "Mon, 01 Jan 2001 00:00:00 GMT\n120"],
}


@pytest.mark.fuzz
@pytest.mark.parametrize("target", SEEDS)
def test_nothing_but_what_is_said_is_raised(target: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[target]):
        (corpus / str(number)).write_text(seed)
    options = [*LIMITS, f"-max_total_time={SECONDS}", f"-artifact_prefix={tmp_path}/", str(corpus)]
    argv = [sys.executable, str(HARNESS), target, *options]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10 * SECONDS + 60)
    assert ended.returncode == 0, ended.stderr[-4000:]
    print(ended.stderr.splitlines()[-1])  # noqa: T201 (the figures of the long suite)


def test_each_target_has_seeds() -> None:
    """Without atheris: the harness names what is seeded here."""
    listed = HARNESS.read_text().partition("TARGETS")[2]
    assert all(f'"{target}": ' in listed for target in SEEDS)
