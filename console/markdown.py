"""What agents and plans write, as Markdown: rendered, then cleaned of all that a browser would run or fetch.

Two walls, each enough alone: the renderer takes no HTML and no images, the cleaner lets pass a fixed list of tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from console.terminal import visible

MOST = 12_000  # characters rendered; what comes after them is shown as it stands
KEPT = 256  # texts kept rendered

_TAGS = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong", "table",
    "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_SCHEMES = {"http", "https", "mailto"}
_OUTER = 2  # the level of the head that stands over the text in its page


class Written(msgspec.Struct, frozen=True):
    """``html``: the text's beginning, rendered; ``rest``: what is too long to render, as it stands."""

    html: Markup
    rest: str = ""


def written(text: str) -> Written:
    """The text as a page shows it. Never raises, whatever the text is."""
    if len(text) <= MOST:
        return Written(_render(text))
    cut = max(text.rfind("\n", MOST // 2, MOST), 0) or MOST  # at a line's end where there is one
    return Written(_render(text[:cut]), text[cut:])


@lru_cache(KEPT)
def _render(text: str) -> Markup:
    """Rendered and cleaned. What could deceive the eye is written out before, as everywhere in the console."""
    tokens = _markdown.parse(visible(text.replace("\r\n", "\n")))
    _set_heads([token for token in tokens if token.type.startswith("heading")])
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    return Markup(_cleaner.clean(html))  # noqa: S704 - cleaned by the line itself


def _set_heads(heads: Sequence[Token]) -> None:
    """Heads stand below the page's own and one level apart, whatever the text begins with."""
    above: list[str] = []
    for token in heads:
        if token.nesting == 1:
            above = [*(each for each in above if each < token.tag), token.tag]
        token.tag = f"h{min(6, _OUTER + len(above))}"


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Links lead to another site and say so, or nowhere: one into the console could pose as a part of it."""
    if tag == "a" and name == "href":
        return value if value.partition(":")[0].lower() in _SCHEMES else None
    return value


def _made() -> MarkdownIt:
    made = MarkdownIt("gfm-like", {"html": False, "linkify": True, "typographer": False, "maxNesting": 20})
    made.disable("image")  # a picture of another site would tell it who looks
    assert made.linkify is not None
    made.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})  # README.md is no site
    return made


_markdown = _made()
_cleaner = nh3.Cleaner(
    tags=_TAGS,
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    attribute_filter=_attribute,
    url_schemes=_SCHEMES,
    link_rel="noopener nofollow",
    strip_comments=True,
)
