"""A page read as suspiciously as can be: which elements and attributes it has, and where they lead."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

# All that templates of ours draw with. Anything else in a page came out of somebody's text.
TAGS = {
    "a", "aside", "b", "blockquote", "body", "br", "button", "caption", "circle", "code", "col", "colgroup", "dd",
    "defs", "dialog", "details", "div", "dl", "dt", "em", "fieldset", "footer", "form", "g", "h1", "h2", "h3", "h4",
    "h5", "h6", "head", "header", "hr", "html", "i", "img", "input", "kbd", "label", "legend", "li", "line", "link",
    "main", "meta", "nav", "ol", "optgroup", "option", "output", "p", "path", "pattern", "polygon", "polyline", "pre",
    "rect", "s", "script", "section", "select", "small", "span", "strong", "summary", "svg", "table", "tbody", "td",
    "text", "textarea", "tfoot", "th", "thead", "time", "title", "tr", "tspan", "ul", "use", "datalist", "ins", "del",
    "mark", "data", "meter", "progress", "article", "search", "hx-partial", "template", "figure", "figcaption",
}  # fmt: skip
HTMX = {
    "hx-get", "hx-post", "hx-trigger", "hx-swap", "hx-target", "hx-ptag", "hx-sse:connect", "hx-include", "hx-select",
    "hx-push-url", "hx-replace-url", "hx-sync", "hx-indicator", "hx-disable", "hx-preserve", "hx-config", "hx-ignore",
}  # fmt: skip
VOID = {"br", "col", "hr", "img", "input", "link", "meta"}
LEADS = ("href", "src", "action", "formaction", "hx-get", "hx-post", "hx-sse:connect", "xlink:href", "data", "poster")

# What may not reach a reader's eye as it is (tab and line ends may).
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)


class Reading(HTMLParser):
    """``faults``: everything in the page that no template of ours writes. ``links``: where it leads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.links: list[str] = []
        self.texts: dict[str, str] = {}  # by tag, the first one's text
        self._open: list[str] = []
        self.feed(html)
        self.close()
        if self._open:
            self.faults.append(f"left open: {self._open[:5]}")
        if HIDDEN.search(html):
            found = HIDDEN.search(html)
            assert found is not None
            self.faults.append(f"hidden {found[0]!r} in {html[max(0, found.start() - 60) : found.end() + 20]!r}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "option" and self._open[-1:] == ["option"]:
            self._open.pop()
        if tag not in VOID:
            self._open.append(tag)
        if tag not in TAGS:
            self.faults.append(f"<{tag} {attrs}>")
        foreign = "md" if self._in_markdown() else ""
        for name, value in attrs:
            self._attribute(tag, name, value or "", foreign, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if tag in ("datalist", "select", "optgroup") and self._open[-1:] == ["option"]:
            self._open.pop()
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> where {self._open[-1:]} is open")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]] = self.texts.get(self._open[-1], "") or data
            if self._open[-1] == "script" and data.strip():
                self.faults.append(f"script in the page: {data[:80]!r}")

    def _in_markdown(self) -> bool:
        return "div" in self._open

    def _attribute(self, tag: str, name: str, value: str, foreign: str, attrs: dict[str, str | None]) -> None:
        if name.startswith("on") or name in ("style", "srcdoc", "xlink:href", "ping", "background"):
            self.faults.append(f"{tag} {name}={value[:80]!r}")
        if name.startswith(("hx-", "data-hx-")) and name not in HTMX:
            self.faults.append(f"{tag} {name}={value[:80]!r}")
        if name not in LEADS:
            return
        if tag == "a":
            self.links.append(value)
        inside = value.startswith("/") and not value.startswith(("//", "/\\"))
        if inside or value.startswith(("#", "?")) or not value:
            return
        elsewhere = tag == "a" and name == "href" and urlsplit(value).scheme in ("http", "https", "mailto")
        if not (elsewhere and foreign and attrs.get("rel") == "noopener nofollow"):
            self.faults.append(f"{tag} {name} leads to {value[:80]!r}")
