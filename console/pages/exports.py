"""What a timeline shows, as a file."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from console.look import BadQuestion, looking
from console.pages.timeline import filter_of, range_of
from console.words import moment
from projections import export, spans
from projections.export import FORMATS, MEDIA, MOST

routes = APIRouter()


@routes.get("/timeline/export", include_in_schema=False)
async def timeline(request: Request) -> Response:
    """The runs that the same address shows as a timeline; ``?format=``: csv, jsonl, parquet or perfetto.

    A range that goes on with now ends at the moment of asking. 422 for a file nobody could open.
    """
    desk, look = await looking(request)
    asked = look.get("format") or "csv"
    if asked not in FORMATS:
        raise BadQuestion(f"?format={asked[:40]!r} is no format: {', '.join(FORMATS)}.")
    wanted = filter_of(look, await range_of(desk, look))
    totals = await desk.read_model.query(spans.totals, look.at, wanted)
    if totals.spans > MOST:
        raise BadQuestion(f"{totals.spans:,} runs are more than a file takes ({MOST:,}): narrow the range or filter.")
    media, ending = MEDIA[asked]
    headers = {"Content-Disposition": f'attachment; filename="{_name(wanted.since, wanted.until)}.{ending}"'}
    body = export.export(desk.read_model.query, look.at, wanted, asked)
    return StreamingResponse(body, media_type=media, headers=headers | {"Switchtower-Runs": str(totals.spans)})


def _name(since: int, until: int) -> str:
    return f"timeline-{moment(since):%Y%m%d-%H%M%S}-{moment(until):%H%M%S}"
