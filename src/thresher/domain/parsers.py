"""Parsers as a caller sees them: ids, what each makes of a page, and its price. How it does so is convert/parsers/.

The built-in ones are a table; others are added by packages (domain/plugins.py).

What a parser makes is always an object, and every key that its schema names is always there: null or empty for what the
page does not have. Only where another system has documented the schema, keys are absent as they are there.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from thresher.domain import plugins

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parser:
    """`aliases` are ids of other systems that mean the same, `schema` is JSON Schema (2020-12), `credits` the price of a completed item,

    `package` the name and version of the package that adds it, None for one that is built in.
    """

    id: str
    title: str
    schema: Schema
    aliases: tuple[str, ...] = ()
    credits: int = 1
    package: str | None = None


def _object(description: str = "", /, absent: Collection[str] = (), **properties: Schema) -> Schema:
    """`absent` are the properties that may be."""
    about = {"description": description} if description else {}
    required = {"required": [name for name in properties if name not in absent], "additionalProperties": False}
    return {"type": "object", **about, "properties": properties, **required}


def _list(of: Schema, description: str) -> Schema:
    return {"type": "array", "description": description, "items": of}


def _map(of: Schema, description: str) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": of}


def _maybe(kind: str, description: str) -> Schema:
    return {"type": [kind, "null"], "description": description}


def _text(description: str) -> Schema:
    return _maybe("string", description)


_STRING: Schema = {"type": "string"}
_URLS = _list(_STRING, "Absolute URLs.")
_ANY: Schema = {}

_ARTICLE = _object(
    title=_text("The headline."),
    byline=_text("Who wrote it, as the page says."),
    published=_text("The date as the page has it, mostly ISO 8601."),
    modified=_text("The date of the last change, alike."),
    language=_text("As the page declares it."),
    site_name=_text("The name of the site."),
    image=_text("URL of the picture that stands for the article."),
    excerpt=_text("The page's description of it, else its first paragraph, up to 300 characters."),
    markdown=_STRING | {"description": "The main content, without navigation, sidebars, comments and advertisements."},
    text=_STRING | {"description": "The same as plain text."},
    word_count={"type": "integer", "description": "Words of the text; a Chinese or Japanese character is one."},
)

_ITEM = _object(
    "One item as it was found.",
    type=_list(_STRING, "URLs of its types."),
    id=_text("Its id or subject."),
    properties=_map(_list(_ANY, "Strings, or items."), "Names to values."),
)

_METADATA = _object(
    title=_text("The title element's text, else Open Graph's."),
    description=_text("What the page says that it is about."),
    language=_text("As declared."),
    canonical=_text("The canonical URL."),
    author=_text("Who made the page."),
    site_name=_text("The name of the site."),
    published=_text("A date as the page has it."),
    modified=_text("A date as the page has it."),
    image=_text("URL of the picture that stands for the page."),
    icon=_text("URL of the site's icon."),
    keywords=_list(_STRING, "As listed."),
    robots=_text("The meta element of this name."),
    generator=_text("The meta element of this name."),
    feeds=_list(_STRING, "URLs of RSS, Atom and JSON feeds."),
    alternates=_map(_STRING, "Language codes (hreflang) to URLs."),
    opengraph=_map(
        _STRING, "Open Graph and kin (og:, article:, product: and so on): full names to values, the first of each."
    ),
    twitter=_map(_STRING, "Names without twitter: to values."),
    dublin_core=_map(_STRING, "Names (dc.title) to values."),
    json_ld=_list(_ANY, "Every block that is valid JSON, as it is."),
    microdata=_list(_ITEM, "Top-level items."),
    rdfa=_list(_ITEM, "Top-level resources; names are whole IRIs."),
)

_PRODUCT = _object(
    name=_STRING | {"description": "What it is called."},
    description=_text("As plain text."),
    url=_text("The product's own URL, if it is given."),
    brand=_text("The name of the brand."),
    sku=_text("The seller's number."),
    gtin=_text("EAN, UPC, ISBN and kin: digits."),
    mpn=_text("The manufacturer's number."),
    price=_maybe("number", "Of the first offer; of a range, the lowest."),
    high_price=_maybe("number", "Of a range, the highest."),
    currency=_text("ISO 4217."),
    availability=_text("A name of schema.org: InStock, OutOfStock, PreOrder and so on."),
    condition=_text("A name of schema.org: NewCondition, UsedCondition and so on."),
    images=_URLS,
    rating=_object(
        "The rating by its buyers; null if there is none.",
        value=_maybe("number", "The average."),
        best=_maybe("number", "The scale."),
        count=_maybe("integer", "Ratings, else reviews."),
    )
    | {"type": ["object", "null"]},
    source={
        "enum": ["json_ld", "microdata", "rdfa", "opengraph"],
        "description": "Where the product was found; the later ones fill gaps.",
    },
)

_TABLE = _object(
    caption=_text("The caption."),
    header=_list(_STRING, "A text a column; empty if the table has no header."),
    rows=_list(
        _list(_STRING, "A text a column."), "The other rows, all of one width: what spans several cells is in each."
    ),
)
_LINK = _object(
    href=_STRING | {"description": "Absolute."},
    text=_STRING | {"description": "What a reader sees, else what the picture or the link is called."},
    rel=_list(_STRING, "As declared, in lower case."),
)
_CALENDAR = _object(
    url=_STRING | {"description": "Absolute."},
    provider=_STRING
    | {"description": "google, outlook, calendly and so on; ics for a file or a subscription of any other."},
    text=_STRING | {"description": "Of the link; empty for what is embedded."},
)
_IMAGE = _object(
    src=_STRING | {"description": "Absolute; where a script loads the picture later, the address that it takes."},
    alt=_text("Null without the attribute, empty for decoration."),
    width=_maybe("integer", "The attribute, in pixels."),
    height=_maybe("integer", "The attribute, in pixels."),
    largest=_STRING | {"description": "The largest candidate of srcset and picture; src if there are none."},
)

_SEARCH = _object(
    searchParameters=_object(
        "What was searched for, by the page's URL.",
        ("gl", "hl"),
        type=_STRING | {"description": "search; images, news, videos, shopping or books of such a page."},
        engine={"enum": ["google"]},
        q=_STRING | {"description": "The query."},
        gl=_STRING | {"description": "The country."},
        hl=_STRING | {"description": "The language."},
    ),
    knowledgeGraph=_object(
        "The knowledge panel.",
        ("type", "description", "imageUrl", "website"),
        title=_STRING,
        type=_STRING | {"description": "The line below the title."},
        description=_STRING,
        imageUrl=_STRING | {"description": "Absolute."},
        website=_STRING | {"description": "The official site."},
        attributes=_map(_STRING, "Facts as the panel names them, Born for one, to their values."),
    ),
    organic=_list(
        _object(
            "",
            ("snippet", "sitelinks"),
            title=_STRING,
            link=_STRING | {"description": "Absolute, redirects unwrapped."},
            position={"type": "integer", "description": "From 1."},
            snippet=_STRING | {"description": "The text below the title, with the date if one stands before it."},
            sitelinks=_list(_object(title=_STRING, link=_STRING), "Links to other places of the same site."),
        ),
        "The results, without advertisements; empty if the search found nothing.",
    ),
    peopleAlsoAsk=_list(
        _object(
            "",
            ("link", "title"),
            question=_STRING,
            link=_STRING | {"description": "The page that answers, if the answer is on this one."},
            title=_STRING | {"description": "Its title."},
        ),
        "Questions of others.",
    ),
    relatedSearches=_list(_object(query=_STRING), "Other searches that are offered below the results."),
    absent=("knowledgeGraph",),
)

PARSERS: dict[str, Parser] = {
    parser.id: parser
    for parser in (
        Parser("@thresher/article", "The article of a page, without what stands around it", _ARTICLE),
        Parser("@thresher/metadata", "What a page declares of itself, in every form", _METADATA),
        Parser("@thresher/product", "The product that a page sells", _PRODUCT),
        Parser(
            "@thresher/tables",
            "The tables of a page, row by row",
            _object(tables=_list(_TABLE, "In the order of the page, without those that only lay it out.")),
        ),
        Parser(
            "@thresher/links",
            "The links of a page, with their texts",
            _object(
                links=_list(
                    _LINK, "http and https, in the order of the page; the same one with the same text is there once."
                )
            ),
        ),
        Parser(
            "@thresher/emails",
            "The e-mail addresses of a page",
            _object(emails=_list(_STRING, "Each once, also those that are written as name [at] host [dot] com.")),
            ("@olostep/extract-emails",),
        ),
        Parser(
            "@thresher/socials",
            "The profiles that a page links to on social networks",
            _object(
                socials=_map(
                    _URLS, "Networks (facebook, x, linkedin and so on) to URLs; buttons to share a page are left out."
                )
            ),
            ("@olostep/extract-socials",),
        ),
        Parser(
            "@thresher/calendars",
            "The calendars and bookings that a page links to or embeds",
            _object(calendars=_list(_CALENDAR, "In the order of the page, each URL once.")),
            ("@olostep/extract-calendars",),
        ),
        Parser(
            "@thresher/images",
            "The images of a page, each in its best size",
            _object(
                images=_list(_IMAGE, "In the order of the page, each once; pictures inlined as data are left out.")
            ),
            ("@olostep/extract-images",),
        ),
        Parser("@thresher/google-search", "A result page of Google's web search", _SEARCH, ("@olostep/google-search",)),
    )
}

_BY_NAME = {name: parser for parser in PARSERS.values() for name in (parser.id, *parser.aliases)}

NAMES: tuple[str, ...] = tuple(_BY_NAME)


def built_in(name: str) -> Parser | None:
    """The built-in parser of an id or an alias."""
    return _BY_NAME.get(name)


def find(name: str) -> Parser | None:
    """The parser of an id or an alias, whoever adds it."""
    # Ids of packages begin like this; nobody else has theirs looked for and imported.
    return _BY_NAME.get(name) or (_added().get(name) if name.startswith("@") else None)


def every() -> list[Parser]:
    """The built-in parsers, then those of packages."""
    return [*PARSERS.values(), *_added().values()]


def _added() -> dict[str, Parser]:
    return {
        name: Parser(name, one.plugin.title, one.plugin.schema, (), one.plugin.credits, one.package)
        for name, one in plugins.installed().plugins.items()
    }
