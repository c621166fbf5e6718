from thresher.plugin import Plugin

HEADINGS = Plugin(
    id="@acme/headings",
    title="The headings of a page",
    parse="acme_barn.headings:parse",
    schema={
        "type": "object",
        "properties": {"headings": {"type": "array", "items": {"type": "string"}}},
        "required": ["headings"],
    },
    credits=2,
)
