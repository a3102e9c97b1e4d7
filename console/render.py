"""Rows to HTML. A page includes the parts that the live stream fetches again, from the same templates.

Everything put into a template is escaped, and made visible first where it could deceive the eye (``terminal.visible``);
a name that was not passed in is an error, not an empty place.
"""

from __future__ import annotations

from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from console import draw, words
from console.terminal import visible

HERE = Path(__file__).parent
STATIC = HERE / "static"


def part(name: str, **rows: Any) -> str:
    """One part, as it stands in its page and as the live stream fetches it."""
    return _environment().get_template(f"parts/{name}.html").render(**rows).strip()


def page(name: str, **rows: Any) -> str:
    return _environment().get_template(f"pages/{name}.html").render(**rows)


def asset(name: str) -> str:
    """The address of a static file; it changes with the content, so it may be kept for ever."""
    return f"/static/{name}?{_sum(name)}"


def task_path(task_id: str) -> str:
    session_id, _, name = task_id.partition("/")
    return f"/tasks/{quote(session_id, safe='')}/{quote(name, safe='')}"


def run_path(run_id: str) -> str:
    return f"/runs{task_path(run_id)[6:]}"


def agent_path(agent_id: str) -> str:
    worker_id, _, name = agent_id.partition("/")
    return f"/agents/{quote(worker_id, safe='')}/{quote(name, safe='')}"


def template_path(template_id: str) -> str:
    return f"/templates/{quote(template_id, safe='')}"


def query(**values: Any) -> str:
    """``?a=1&b=2`` of the values that are there, or nothing."""
    held = {name: value for name, value in values.items() if value not in (None, "", [], False)}
    return f"?{urlencode(held, doseq=True)}" if held else ""


@lru_cache(maxsize=1_000)  # the same few stand in every row of every list
def mark(state: str, title: str = "") -> Markup:
    """The drawn mark of a state. It is hidden from a screen reader: a word stands beside it, or ``title`` does."""
    name = words.mark(state)
    told = Markup("<title>{}</title>").format(title) if title else ""
    hidden = "" if title else Markup(' aria-hidden="true"')
    return Markup('<svg class="mark"{}>{}<use href="{}#{}"/></svg>').format(hidden, told, asset("marks.svg"), name)


@cache
def icon(name: str) -> Markup:
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#i-{}"/></svg>').format(asset("marks.svg"), name)


@lru_cache(maxsize=1_000)
def state(name: str) -> Markup:
    """Mark and word."""
    drawn = Markup('<span class="state" data-state="{}">{}{}</span>')
    return drawn.format(words.mark(name), mark(name), words.word(name))


_AS_IT_IS = (Markup, int, float, type(None))


def _shown(value: Any) -> Any:
    """What every ``{{ }}`` passes through before it is escaped."""
    if isinstance(value, _AS_IT_IS):
        return value
    text = str(value)
    return text if text.isascii() and text.isprintable() else visible(text)


@cache
def _sum(name: str) -> str:
    return sha256((STATIC / name).read_bytes()).hexdigest()[:12]


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(
        asset=asset, mark=mark, icon=icon, state=state, query=query, draw=draw,
        task_path=task_path, run_path=run_path, agent_path=agent_path, template_path=template_path,
    )  # fmt: skip
    made.filters.update(
        word=words.word, mark_of=words.mark, number=words.number, tokens=words.tokens, size=words.size, age=words.age,
        took=words.took, as_given=words.as_given, small_money=words.small_money, iso=words.iso,
        whole_time=words.whole_time, clock_time=words.clock_time, money=words.money,
        counted=words.counted, fact_mark=words.fact_mark, tool_sign=words.tool_sign, shorten=words.shorten,
        origin=words.origin, count_in=words.count_in, apart=words.apart, ended=words.ended, ordered=words.ordered,
        day_and_time=words.day_and_time,
    )  # fmt: skip
    return made
