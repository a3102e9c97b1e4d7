"""What the API's own description promises, tried on the API: drawn requests, good and bad, always the same ones."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from console.openapi import document
from tests.console.tower import Tower

CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
EXAMPLES = 5  # of each kind for each operation


def drawn(operation: Any, mode: GenerationMode) -> list[Case]:
    """Requests for one operation, the same at every call."""
    cases: list[Case] = []

    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Case) -> None:
        cases.append(case)

    collect()
    return cases


async def send(tower: Tower, case: Case) -> httpx2.Response:
    """The request in process, with our token in the place of the drawn one."""
    asked = case.as_transport_kwargs(base_url=str(tower.machine.base_url).rstrip("/"))
    headers = {name: value for name, value in asked["headers"].items() if name.lower() != "authorization"}
    return await tower.machine.request(
        asked["method"], asked["url"], params=asked.get("params"), headers=headers, json=asked.get("json"),
        content=asked.get("data"),
    )  # fmt: skip


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
async def test_the_api_answers_as_its_description_says(busy: Tower, mode: GenerationMode):
    described = schemathesis.openapi.from_dict(document(busy.app, "test"))
    answers: list[int] = []
    for result in described.get_all_operations():
        for case in drawn(result.ok(), mode):
            answer = await send(busy, case)
            case.validate_response(answer, checks=CHECKS)
            answers.append(answer.status_code)
    assert len(answers) > 100
    if mode is GenerationMode.POSITIVE:
        assert answers.count(200) > 40  # it was the API that was tried, not its refusals
