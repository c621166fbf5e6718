"""All routes of the parse API, put together."""

from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = ()
