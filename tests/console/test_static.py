"""What is shipped beside the code: others' files are the ones that were checked, ours name no other place."""

from __future__ import annotations

import hashlib
import re
import tomllib

import pytest

from console.render import STATIC

VENDORED = tomllib.loads((STATIC / "vendor" / "VENDOR.toml").read_text())["bundle"]
OURS = sorted(path for path in STATIC.iterdir() if path.is_file())


@pytest.mark.parametrize("bundle", VENDORED, ids=lambda bundle: bundle["file"])
def test_a_vendored_file_is_the_one_that_was_checked(bundle: dict[str, str]):
    assert hashlib.sha256((STATIC / "vendor" / bundle["file"]).read_bytes()).hexdigest() == bundle["sha256"]
    licence = (STATIC / "vendor" / bundle["licence_file"]).read_bytes()
    assert hashlib.sha256(licence).hexdigest() == bundle["licence_sha256"]
    assert all(bundle[key] for key in ("name", "version", "licence"))


def test_every_vendored_file_is_listed():
    listed = {bundle[key] for bundle in VENDORED for key in ("file", "licence_file")} | {"VENDOR.toml", "build"}
    assert {path.name for path in (STATIC / "vendor").iterdir()} == listed


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_files_fetch_nothing_from_elsewhere(path):
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z0-9.-]+\.[a-z]{2,}/|@import|url\(", text)


@pytest.mark.parametrize("path", [path for path in OURS if path.suffix in (".css", ".js")], ids=lambda path: path.name)
def test_our_styles_and_scripts_keep_to_lines_a_person_can_read(path):
    assert [line for line in path.read_text().splitlines() if len(line) > 130] == []


def test_only_the_tokens_name_a_colour():
    for path in OURS:
        if path.suffix == ".css" and path.name != "tokens.css":
            bare = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
            assert not re.search(r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch)a?\(", bare, re.IGNORECASE), path.name


def test_every_block_of_a_stylesheet_is_closed_once():
    """A brace too many makes a browser throw away the rules after it, without a word."""
    for path in OURS:
        if path.suffix == ".css":
            open_blocks = 0
            for sign in re.findall(r"[{}]", re.sub(r"/\*.*?\*/|\"[^\"]*\"", "", path.read_text(), flags=re.DOTALL)):
                open_blocks += 1 if sign == "{" else -1
                assert open_blocks >= 0, path.name
            assert open_blocks == 0, path.name
