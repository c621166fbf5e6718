"""The upload of the first version: a file with its parameters beside it in the form becomes a parse."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from thresher.api import receivers, uploads
from thresher.api.llamacloud import parse_begin, parse_v1, parse_v1_views
from thresher.api.llamacloud.errors import invalid, refusals
from thresher.api.llamacloud.file_schemas import upload_body
from thresher.api.llamacloud.parse_request import PAGES, Wanted
from thresher.api.llamacloud.project import Writer
from thresher.api.llamacloud.values import BEYOND, MAX_PARAMETERS, kept
from thresher.api.reply import json_reply
from thresher.api.state import state_of
from thresher.domain.parse import ParseJob
from thresher.domain.parse_form import parameters_of
from thresher.settings import Settings

_PARAMETERS = {
    "target_pages": {
        "type": "string",
        "pattern": PAGES,
        "description": "`0,2-4`, from 0 on. So every parameter of the first version.",
    }
}


router = APIRouter(prefix="/api/v1/parsing", tags=["parse"])
older = APIRouter(prefix="/api/parsing", include_in_schema=False)


@older.post("/upload", response_class=Response)
@router.post(
    "/upload",
    response_model=parse_v1.JobV1,
    responses=refusals(400, 402, 413, 415),
    openapi_extra=upload_body("file", _PARAMETERS, []),
    summary="Upload a file and parse it (first version)",
)
async def upload(request: Request, caller: Writer) -> Response:
    """Texts of the form are parameters; true and false, numbers, and languages with commas between, are read as such."""
    state = state_of(request)
    async with uploads.receive(request, caller) as uploaded:
        wanted = _read(uploaded.fields, state.settings)
        job = await parse_begin.of_upload(caller, state, wanted, uploaded)
    return json_reply(parse_v1_views.job_view(job))


def _read(fields: dict[str, str], settings: Settings) -> Wanted:
    try:
        parse = ParseJob.asked(kept(parameters_of(fields), MAX_PARAMETERS))
    except ValueError as error:
        raise invalid("body", msg=str(error), kind=BEYOND) from None
    receiver = fields.get("webhook_url")
    if receiver and (fault := receivers.fault(receiver, settings)):
        raise invalid("body", "webhook_url", msg=fault[0], kind=fault[1])
    return Wanted(parse, {}, receiver or None)
