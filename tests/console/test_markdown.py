"""Descriptions are Markdown: what a person needs is drawn, what a browser would run or fetch is not."""

from __future__ import annotations

import re
from time import perf_counter

import pytest

from console.markdown import MOST, written
from tests.hostile.payloads import CORPUS
from tests.hostile.reading import Reading


def test_lists_tables_code_and_links_are_drawn():
    html = written(
        "# One\n\n- a\n- `b`\n\n| x |\n|---|\n| 1 |\n\n~~no~~ **yes** https://a.example/x\n\n```py\nif a < b: ...\n```"
    ).html
    for part in (
        "<h3>One</h3>",
        "<li>a</li>",
        "<code>b</code>",
        "<td>1</td>",
        "<s>no</s>",
        "<strong>yes</strong>",
        "a &lt; b",
    ):
        assert part in html
    assert '<a href="https://a.example/x" rel="noopener nofollow">' in html


@pytest.mark.parametrize("text", ["README.md", "src/app.py", "a.b@c.de", "127.0.0.1"])
def test_a_file_name_is_not_taken_for_a_site(text: str):
    assert "<a " not in written(text).html


@pytest.mark.parametrize(
    "link", ["/orders", "//evil.example", "logout", "#main", "javascript:alert(1)", "data:text/html,x", "file:///x"]
)
def test_a_link_leads_to_another_site_or_nowhere(link: str):
    assert "href" not in written(f"[Retry]({link})").html


def test_heads_stand_below_the_pages_own_and_skip_no_level():
    html = written("### First\n\n###### Far below\n\n# Back up\n\n## Below that").html
    assert re.findall(r"<(h\d)>", html) == ["h3", "h4", "h3", "h4"]
    assert html.count("<h3>") == html.count("</h3>")


def test_no_picture_is_fetched_and_no_html_is_kept():
    html = written("![x](https://evil.example/p.png) <img src=x onerror=y> <b>bold</b> <!-- c -->").html
    assert "<img" not in html
    assert "<b>" not in html
    assert "&lt;img" in html


@pytest.mark.parametrize("payload", CORPUS, ids=range(len(CORPUS)))
def test_no_payload_makes_an_element_that_is_not_on_the_list(payload: str):
    page = Reading(f"<div>{written(payload).html}</div>")
    assert page.faults == []


@pytest.mark.parametrize(
    "text", ["[" * 90_000, "*a" * 45_000, "<a" * 45_000, "> " * 45_000, "[a](" * 22_000, "`a" * 45_000]
)
def test_what_would_take_a_renderer_minutes_takes_under_a_second(text: str):
    began = perf_counter()
    found = written(text)
    assert perf_counter() - began < 2
    assert len(found.rest) == len(text) - MOST or "\n" in text


def test_a_text_that_is_too_long_goes_on_as_it_was_written():
    found = written("word\n" * 10_000)
    shown = len(re.findall("word", found.html))
    assert shown + found.rest.count("word") == 10_000
    assert found.rest.startswith("\n")
