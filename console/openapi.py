"""``/openapi.json``: FastAPI's list of routes, with the schemas of our own structs."""

from __future__ import annotations

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


def gives(kind: Any, wanted: type[Any] | None = None) -> dict[str, Any]:
    """Arguments of a route that answers with ``kind`` and is filtered by the fields of ``wanted``."""
    _kinds.append(kind)
    said = {"description": "As of the asked moment", "content": {"application/json": {"x-kind": len(_kinds) - 1}}}
    return {
        "response_model": None,
        "responses": {200: said, 401: PROBLEM, 404: PROBLEM, 422: PROBLEM},
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
            400: PROBLEM, 401: PROBLEM, 409: PROBLEM, 413: PROBLEM, 422: PROBLEM, 503: PROBLEM,
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

    names = ["at", "seen", *(parameter(field.name) for field in msgspec.structs.fields(wanted or _Nothing))]
    return [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in names]
