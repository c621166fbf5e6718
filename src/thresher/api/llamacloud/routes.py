"""All routes of the parse API, put together."""

from fastapi import APIRouter

from thresher.api.llamacloud import (
    directories,
    directory_files,
    downloads,
    files,
    job_items,
    jobs,
    parse_read,
    parse_v1,
)

ROUTERS: tuple[APIRouter, ...] = (
    files.router,
    downloads.router,
    directories.router,
    directory_files.router,
    jobs.router,
    job_items.router,
    parse_read.router,
    parse_v1.router,
    parse_v1.older,
)
