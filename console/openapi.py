"""``/openapi.json``: FastAPI's list of routes, with the schemas of our own structs."""

from __future__ import annotations

import types
import typing
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_TEMPLATE = "#/components/schemas/{name}"
_kinds: list[Any] = []


class _Nothing(msgspec.Struct):
    """A list without a filter."""


PROBLEM = {
    "description": "What is wrong, and the way out (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def gives(kind: Any, wanted: type[Any] | None = None, *, status: int = 200) -> dict[str, Any]:
    """Arguments of a route that answers with ``kind`` and is filtered by the fields of ``wanted``."""
    _kinds.append(kind)
    said = {"description": "As of the asked moment", "content": {"application/json": {"x-kind": len(_kinds) - 1}}}
    return {
        "response_model": None,
        "status_code": status,
        "responses": {status: said, **dict.fromkeys((401, 404, 422, 429, 503), PROBLEM)},
        "openapi_extra": {"x-filter": _filter(wanted)},
    }


def takes(kind: Any, outcome: Any) -> dict[str, Any]:
    """Arguments of a route that reads ``kind`` and answers with ``outcome``."""
    _kinds.extend((kind, outcome))
    said = {"application/json": {"x-kind": len(_kinds) - 1}}
    return {
        "response_model": None,
        "responses": {
            200: {"description": "Done", "content": said},
            202: {"description": "Kept, not decided yet", "content": said},
            **dict.fromkeys((400, 401, 409, 413, 422, 429, 503), PROBLEM),
        },
        "openapi_extra": {
            "requestBody": {"required": True, "content": {"application/json": {"x-kind": len(_kinds) - 2}}}
        },
    }  # fmt: skip


def document(app: FastAPI, version: str) -> dict[str, Any]:
    """The whole description, made at the first request."""
    from console.errors import Problem

    schemas, components = msgspec.json.schema_components([*_kinds, Problem], ref_template=_TEMPLATE)
    made = get_openapi(title="Switchtower", version=version, routes=app.routes)
    made["components"] = {
        "schemas": components,
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    made["security"] = [{"token": []}]
    for path in made["paths"].values():
        for operation in path.values():
            _describe(operation, list(schemas))
    return made


def _describe(operation: dict[str, Any], schemas: list[dict[str, Any]]) -> None:
    for holder in (operation.get("requestBody", {}), *operation.get("responses", {}).values()):
        content = holder.get("content", {}).get("application/json")
        if content and "x-kind" in content:
            content["schema"] = schemas[content.pop("x-kind")]
    wanted = operation.pop("x-filter", None)
    if wanted is not None:
        operation["parameters"] = [*operation.get("parameters", []), *wanted]


def _filter(wanted: type[Any] | None) -> list[dict[str, Any]]:
    """Query parameters: the moment, what the caller has seen, and the filter's fields under their short names."""
    from console.look import parameter

    fields = msgspec.structs.fields(wanted or _Nothing)
    return [
        _query("at", {"type": "string"}, "The moment: an EVENTS sequence, an ISO time, -5m (s, m, h, d), or now"),
        _query("seen", {"type": "integer", "minimum": 0}, "Wait a moment until this EVENTS sequence is folded"),
        *(_query(parameter(field.name), *_kind(field.name, field.type)) for field in fields),
    ]


def _query(name: str, schema: dict[str, Any], says: str = "") -> dict[str, Any]:
    told = {"description": says} if says else {}
    return {"name": name, "in": "query", "required": False, "schema": schema, **told}


def _kind(name: str, hint: Any) -> tuple[dict[str, Any], str]:
    """What a filter's field may be, and in words what that does not say."""
    kinds = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}
    if name == "since":
        return {"type": "string"}, "2h (s, m, h, d), today, all, an ISO time, or microseconds since the epoch"
    if name == "limit":
        return {"type": "integer", "minimum": 0, "maximum": 1_000_000_000}, "How many rows; 0: all"
    if typing.get_origin(hint) is typing.Literal:
        return {"enum": list(typing.get_args(hint))}, ""
    if bool in kinds:
        return {"type": "boolean"}, ""
    if int in kinds:
        return {"type": "integer"}, ""
    return {"type": "string"}, "Several, with commas between them" if typing.get_origin(hint) is tuple else ""
