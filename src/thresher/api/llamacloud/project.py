"""Who asks, and for which project: an account is one project of one organization, and may be named by a request or not."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from thresher.api import auth
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage.accounts import Account

_Named = Annotated[UUID | None, Query()]


async def reader(caller: auth.Reader, project_id: _Named = None, organization_id: _Named = None) -> Account:
    """Raises Problem(access_denied) if a project or an organization is named that is not the account's."""
    return _in_project(caller, project_id, organization_id)


async def writer(caller: auth.Writer, project_id: _Named = None, organization_id: _Named = None) -> Account:
    """As `reader`, of a key that may write."""
    return _in_project(caller, project_id, organization_id)


def check_project(caller: Account, project: UUID | None) -> None:
    """Raises Problem(access_denied)."""
    if project not in (None, caller.project):
        raise Problem(ProblemCode.ACCESS_DENIED, f"The key does not open the project {project}.")


def _in_project(caller: Account, project: UUID | None, organization: UUID | None) -> Account:
    check_project(caller, project)
    if organization not in (None, caller.org):
        raise Problem(ProblemCode.ACCESS_DENIED, f"The key does not open the organization {organization}.")
    return caller


Reader = Annotated[Account, Depends(reader)]
Writer = Annotated[Account, Depends(writer)]
