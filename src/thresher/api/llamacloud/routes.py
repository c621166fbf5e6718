"""All routes of the parse API, put together."""

from fastapi import APIRouter

from thresher.api.llamacloud import directories

ROUTERS: tuple[APIRouter, ...] = (directories.router,)
