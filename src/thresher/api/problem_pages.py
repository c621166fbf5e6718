"""The pages that the `type` of a problem leads to: what went wrong, and what to do. For a person, in a browser."""

from html import escape

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from thresher.domain.problem import PROBLEMS, Problem, ProblemCode, ProblemKind

router = APIRouter(prefix="/docs/problems", include_in_schema=False)

_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}"
    "h2{font-size:1.1rem;margin:2.2rem 0 .3rem}p{margin:.3rem 0}code{font:.95em ui-monospace,monospace}"
    "nav{font-size:.9rem;opacity:.8}"
)


@router.get("")
async def all_problems() -> HTMLResponse:
    """The whole table."""
    return _page("Every problem of this server", list(PROBLEMS.items()), up="")


@router.get("/{slug}")
async def problem_page(slug: str) -> HTMLResponse:
    """The problems of one status, such as `not_found`."""
    kinds = [(code, kind) for code, kind in PROBLEMS.items() if kind.slug == slug]
    if not kinds:
        raise Problem(ProblemCode.NOT_FOUND, "There is no problem of this name.")
    # Relative, so that it works below any path of a proxy.
    return _page(_title(kinds[0][1]), kinds, up='<nav><a href="../problems">All problems</a></nav>')


def _page(title: str, kinds: list[tuple[ProblemCode, ProblemKind]], up: str) -> HTMLResponse:
    entries = "".join(
        f'<h2 id="{code}"><code>{code}</code> ({escape(_title(kind))})</h2><p>{_text(kind.meaning)}</p>'
        f"<p><strong>What to do:</strong> {_text(kind.remedy)}</p>"
        for code, kind in kinds
    )
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} - Thresher</title><style>{_STYLE}</style>{up}<h1>{escape(title)}</h1>{entries}</html>",
        headers=_HEADERS,
    )


def _title(kind: ProblemKind) -> str:
    return f"{kind.status} {kind.title}"


def _text(sentence: str) -> str:
    """A sentence of the table, with what stands between backticks as code."""
    parts = escape(sentence).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
