"""All routes of the parse API, put together."""

from fastapi import APIRouter

from thresher.api.llamacloud import directories, parse_read, parse_v1

ROUTERS: tuple[APIRouter, ...] = (directories.router, parse_read.router, parse_v1.router, parse_v1.older)
