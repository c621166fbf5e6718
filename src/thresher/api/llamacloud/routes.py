"""All routes of the parse API, put together."""

from fastapi import APIRouter

from thresher.api.llamacloud import (
    batches,
    directories,
    directory_files,
    downloads,
    files,
    job_items,
    jobs,
    parse,
    parse_read,
    parse_v1,
    parse_v1_upload,
)

ROUTERS: tuple[APIRouter, ...] = (
    files.router,
    downloads.router,
    directories.router,
    directory_files.router,
    jobs.router,
    job_items.router,
    batches.router,
    parse.router,
    parse_read.router,
    parse_v1.router,
    parse_v1.older,
    parse_v1_upload.router,
    parse_v1_upload.older,
)
