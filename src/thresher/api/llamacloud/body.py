"""Bodies of the parse API: read when it is known who asks, in a thread if they are large, and checked by a model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from thresher.api.state import state_of
from thresher.domain.problem import Problem, ProblemCode
from thresher.settings import Settings

M = TypeVar("M", bound=BaseModel)

SMALL = 1024 * 1024  # bytes of a body that has no long lists


async def read_body(request: Request, model: type[M], limit: int = SMALL) -> M:
    """What the JSON body says, as this model. Raises RequestValidationError; Problem(body_too_large)."""
    body = await request.body()
    if len(body) > limit:
        raise Problem(ProblemCode.BODY_TOO_LARGE, f"The request body is larger than the limit of {limit} bytes.")
    return await state_of(request).parse(partial(_read, model), body)


def read_fields(model: type[M], fields: Mapping[str, str]) -> M:
    """What the texts of a form say, as this model; an empty one is not there. Raises RequestValidationError."""
    with _faults_of_the_body():
        return model.model_validate({name: text for name, text in fields.items() if text})


def read_json(model: type[M], text: str, field: str) -> M:
    """What one text of a form says, which is JSON, as this model. Raises RequestValidationError."""
    with _faults_of_the_body(field):
        return model.model_validate_json(text)


def _read(model: type[M], body: bytes, _: Settings) -> M:
    with _faults_of_the_body():
        return model.model_validate_json(body)


@contextmanager
def _faults_of_the_body(*place: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**fault, "loc": ("body", *place, *fault["loc"])} for fault in faults]) from None
