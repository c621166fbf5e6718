"""Mail: EML by the standard library, its HTML by our own converter; MSG by the library for Office. One page each."""

from collections.abc import Sequence
from email.message import EmailMessage

from thresher.convert import html, markup
from thresher.convert.documents import flow, mime, office
from thresher.convert.documents.made import Bounds, Made
from thresher.domain.documents import DocumentOptions

_SHOWN = ("Subject", "From", "To", "Cc", "Date")


def eml(data: bytes, _: str, options: DocumentOptions, bounds: Bounds) -> Made:
    """Raises ItemFailed: document_broken, document_too_large."""
    message, parts = mime.read(data, bounds)
    headers = {name: value for name in _SHOWN if (value := _header(message, name))}
    names = [
        " ".join(part.name.encode("utf-8", "replace").decode().replace("\0", "").split()) for part in parts if part.name
    ]
    return _made(headers, _body(parts), names, options)


def msg(data: bytes, form: str, options: DocumentOptions, _: Bounds) -> Made:
    result = office.extract(data, form, html=False)
    head, _, body = result.content.replace("\0", "").partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.split("\n") if ": " in line)
    if not set(headers) <= {*_SHOWN, "Bcc"}:  # no headers, but the text itself
        headers, body = {}, result.content.replace("\0", "")
    attachments = [str(name) for name in result.metadata.get("attachments") or []]
    return _made(headers, (_paragraphs(body), body), attachments, options)


def _made(headers: dict[str, str], body: tuple[str, str], attachments: list[str], options: DocumentOptions) -> Made:
    """`body`: its markdown and text."""
    lines = headers | ({"Attachments": ", ".join(attachments)} if attachments else {})
    head = (
        [f"**{name}**: {markup.plain(value)}" for name, value in lines.items()],
        [f"{name}: {value}" for name, value in lines.items()],
    )
    markdown, text = ("\n\n".join([*told, said.strip()]).strip() for told, said in zip(head, body, strict=True))
    page = (markdown, text) if headers or body[0].strip() else ("", "")
    names = {"Subject": "title", "From": "author", "Date": "created"}
    metadata = {names[name]: value for name, value in headers.items() if name in names}
    return Made(flow.pages_of([page], options), 1, metadata)


def _header(message: EmailMessage, name: str) -> str:
    """Its value as text; one that cannot be understood, as it stands there."""
    try:
        value = str(message.get(name, ""))
    except Exception:  # the library's parser of headers fails in many ways
        value = str(next((raw for key, raw in message.raw_items() if key.lower() == name.lower()), ""))
    return " ".join(value.encode("utf-8", "replace").decode().replace("\0", "").split())


def _body(parts: Sequence[mime.Part]) -> tuple[str, str]:
    """Markdown and text of what a reader is shown: HTML before plain text, which is then the poorer copy."""
    for kind in ("text/html", "text/plain"):
        content = next((part.text() for part in parts if part.kind == kind and not part.attached), None)
        if content is not None:
            return html.rendered(content) if kind == "text/html" else (_paragraphs(content), content)
    return "", ""


def _paragraphs(text: str) -> str:
    """Plain text as markdown that keeps its lines."""
    blocks = [block.strip("\n").split("\n") for block in text.replace("\r\n", "\n").split("\n\n")]
    return "\n\n".join("  \n".join(markup.plain(line) for line in block) for block in blocks if any(block))
