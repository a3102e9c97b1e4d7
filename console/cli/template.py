"""``switchtower template``: plans with places for parameters, defined, looked at and used."""

from __future__ import annotations

import sys
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter, validators

from console import given
from console.cli import api, out
from console.cli.effects import all_over
from console.cli.exits import NotFound, Stop, Usage
from console.cli.line import Line, Outcome
from console.cli.orders import AT_ONCE, Waiting, give
from console.cli.shown import age
from console.cli.where import HERE, Where
from core.clock import SystemClock
from core.domain import template
from core.domain.expansion import problems
from core.domain.session import DEFAULT_SESSION
from core.domain.slots import Value, as_text
from core.domain.template_spec import TemplateSpec, faults
from core.domain.words import MAX_FACTS
from core.envelope import decode_fact

Count = Annotated[int, Parameter(validator=validators.Number(gte=0))]


def listing(*, where: Where = HERE) -> int:
    """List templates, those that are retired last."""
    found = api.get(where, "/templates")
    if where.as_json:
        out.document({"rows": found, "total": len(found)})
        return 0
    now = SystemClock().now_us()
    out.table(
        found,
        (
            ("TEMPLATE", lambda row: row["template_id"]),
            ("STATE", lambda row: row["state"]),
            ("VERSION", lambda row: row["version"]),
            ("ASKS FOR", lambda row: row.get("params", 0)),
            ("TASKS", lambda row: row.get("tasks", 0)),
            ("USES", lambda row: row.get("uses", 0)),
            ("LAST USED", lambda row: age(row.get("last_used"), now)),
            ("TITLE", lambda row: row["title"]),
        ),
        empty="There is no template. `switchtower template define FILE` brings one.",
    )
    return 0


def show(name: str, /, *, version: Count = 0, where: Where = HERE) -> int:
    """Show one template: what a use is asked for, what it makes, its uses.

    Parameters
    ----------
    name
        The template's id.
    version
        This wording of it; 0: the newest.
    """
    found, spec = _worded(where, name, version)
    if where.as_json:
        out.document(found)
        return 0
    row, now = found["row"], SystemClock().now_us()
    out.pairs(
        (
            ("template", row["template_id"]),
            ("title", spec.title),
            ("state", row["state"]),
            ("version", f"{version or row['version']} of {row['version']}"),
            ("lane", spec.lane),
            ("is for", spec.description),
        )
    )
    for param in spec.params:
        needed = "needed" if param.required else "optional"
        default = "" if param.default is None else f", {as_text(param.default)!r} when left out"
        out.text(f"--param {param.name}=…  {param.kind}, {needed}{default}  {param.called}")
    for draft in spec.tasks:
        after = f", after {', '.join(draft.depends_on)}" if draft.depends_on else ""
        out.text(f"task {draft.name}  {draft.title}{after}{f', only with {draft.when}' if draft.when else ''}")
    for use in found["uses"][:10]:
        out.text(
            f"use {use['use_id']}  {use['session_id']}/{use['prefix']}-…  {age(use['at'], now)} ago by {use['by']}"
        )
    return 0


def define(
    file: Path, /, *, name: str = "", base: Annotated[int | None, Parameter(validator=validators.Number(gte=0))] = None,
    where: Where = HERE,
) -> int:  # fmt: skip
    """Define a template from a JSON file, or give one another wording: the next version.

    Parameters
    ----------
    file
        The template (docs/templates.md). - reads standard input.
    name
        Its id; the file's name without its ending when left out.
    base
        The version it builds on: refused when there is a newer one. Left out: the newest there is.
    """
    spec = _read(file)
    called = name or file.stem
    if called in ("", "-"):
        raise Usage("say what the template is called: --name fix_bug")
    order = template.Define(template_id=called, spec=spec, base=_newest(where, called) if base is None else base)
    return give(where, [(called, order)], says="is defined")


def use(
    name: str,
    /,
    *,
    param: tuple[str, ...] = (),
    session: str = DEFAULT_SESSION,
    prefix: str = "",
    lane: str = "",
    version: Count = 0,
    waiting: Waiting = AT_ONCE,
    where: Where = HERE,
) -> int:
    """Make a template's tasks. With --wait: until all of them are over; exit code 1 when one ends other than done.

    Parameters
    ----------
    name
        The template's id.
    param
        A parameter, as in ``--param goal="a shed"``; items of a list are separated by commas. ``goal=@FILE`` reads it
        from a file. May be given several times.
    session
        The session the tasks go to.
    prefix
        Their names begin so; made from the template's and the number of the use when left out.
    lane
        The lane they wait in, instead of the template's.
    version
        This wording of the template; 0: the newest.
    """
    found, spec = _worded(where, name, version)
    order = template.Use(
        template_id=name,
        session_id=session,
        prefix=prefix or f"{name.replace('_', '-')[:40]}-{found['row'].get('uses', 0) + 1}",
        version=version,
        lane=lane,
        params=_values(spec, param),
    )
    return give(
        where, [(name, order)], says=f"made its tasks: {session}/{order.prefix}-…", waiting=waiting, effect=_over
    )


def retire(*names: str, reason: str = "", where: Where = HERE) -> int:
    """Retire templates: they can't be used until they are defined again.

    Parameters
    ----------
    reason
        Why, for the record.
    """
    if not names:
        raise Usage("name at least one template")
    orders = [(name, template.Retire(template_id=name, reason=reason)) for name in names]
    return give(where, orders, says="is retired")


def _worded(where: Where, name: str, version: int) -> tuple[dict[str, Any], TemplateSpec]:
    found: dict[str, Any] = api.get(where, f"/templates/{api.path_of(name)}")
    worded = next((each for each in found["versions"] if version in (0, each["version"])), None)
    if worded is None:
        raise NotFound(f"template {name} has no version {version}; there are 1 to {found['row']['version']}")
    return found, msgspec.convert(worded["spec"], TemplateSpec)


def _newest(where: Where, name: str) -> int:
    try:
        return int(api.get(where, f"/templates/{api.path_of(name)}")["row"]["version"])
    except NotFound:
        return 0


def _read(file: Path) -> TemplateSpec:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        spec = msgspec.json.decode(data, type=TemplateSpec)
    except FileNotFoundError:
        raise NotFound(f"there is no file {file}") from None
    except OSError as problem:
        raise Stop(f"{file} cannot be read: {problem.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Usage(f"{file} is not a template: {wrong}") from None
    found = faults(spec)
    if found:
        raise Usage(f"{file}: " + "; ".join(map(str, found[:5])))
    return spec


def _values(spec: TemplateSpec, params: tuple[str, ...]) -> dict[str, Value]:
    """The parameters as the template's kinds read them; ``Usage`` names every one that does not fit."""
    texts = dict(_pair(each) for each in params)
    unknown = [name for name in texts if name not in {param.name for param in spec.params}]
    if unknown:
        asked = ", ".join(param.name for param in spec.params) or "nothing"
        raise Usage(f"it is not asked for {unknown[0]!r}; it is asked for: {asked}")
    values, wrong = given.values(spec, texts)
    wrong |= {name: says for name, says in problems(spec, values).items() if name not in wrong}
    if wrong:
        raise Usage("; ".join(f"--param {name}: {says}" for name, says in wrong.items()))
    return values


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Usage(f"--param {text}: write name=value, as in --param goal=shed")
    if not value.startswith("@"):
        return name, value
    try:
        return name, Path(value[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise Usage(f"--param {name}: {value[1:]} cannot be read: {problem}") from None


async def _over(line: Line, outcome: Outcome) -> str:
    """Wait until every task that the use made is over; which they are stands in its first fact."""
    after = max(0, outcome.seq - MAX_FACTS)
    subjects = ["evt.template.*.used"]
    async with aclosing(line.ledger.read("EVENTS", after=after, until=outcome.seq, subjects=subjects)) as reading:
        async for stored in reading:
            for each in stored:
                recorded = decode_fact(each.data)
                if recorded.command_seq == outcome.command_seq and isinstance(recorded.fact, template.Used):
                    return await all_over(line, set(recorded.fact.tasks))
    raise Stop(f"what the use of {outcome.target} made is not decided yet; look again: switchtower template show")
