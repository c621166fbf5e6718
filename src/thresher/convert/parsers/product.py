"""The product that a page is about: from JSON-LD, microdata, RDFa and Open Graph, in this order.

The first that has a product with a name decides; what it leaves open the others fill in. Microdata and RDFa are brought
into the form of JSON-LD and read by the same code.
"""

from collections.abc import Iterator
from typing import Any

from thresher.convert.parsers.metadata import parse as metadata_of
from thresher.convert.parsers.page import Page, nothing
from thresher.convert.parsers.values import amount, last, name, objects, plain, several, text

Node = dict[str, Any]
Facts = dict[str, Any]  # fields of the result, without those that are not known

_TYPES = frozenset(
    ("Product", "ProductGroup", "ProductModel", "IndividualProduct", "SomeProducts", "Vehicle", "Car", "Motorcycle")
)
# Under these are other things than the page's own.
_OTHERS = frozenset(
    (
        *("isRelatedTo", "isSimilarTo", "isAccessoryOrSparePartFor", "isConsumableFor", "itemListElement"),
        *("itemReviewed", "itemOffered", "isPartOf", "hasPart", "mentions", "publisher"),
    )
)
_GTINS = ("gtin", "gtin13", "gtin14", "gtin12", "gtin8", "isbn", "ean")
_FIELDS = (
    *("name", "description", "url", "brand", "sku", "gtin", "mpn", "price", "high_price", "currency"),
    *("availability", "condition", "rating"),
)
_LOW = ("price", "lowPrice", "minPrice")
_HIGH = ("highPrice", "maxPrice")
_MOST = 100  # variants, and images
_DEPTH = 20
_MANY = 2.0**53  # ratings; JSON has no larger integers

# Words of Open Graph and of shops, by names of schema.org.
_WORDS = {
    **dict.fromkeys(("instock", "in stock", "available", "available for order"), "InStock"),
    **dict.fromkeys(("oos", "outofstock", "out of stock", "unavailable"), "OutOfStock"),
    **dict.fromkeys(("preorder", "pre-order", "pre order", "pending"), "PreOrder"),
    **dict.fromkeys(("backorder", "back-order", "available on backorder"), "BackOrder"),
    **{"discontinued": "Discontinued", "new": "NewCondition", "used": "UsedCondition"},
    "refurbished": "RefurbishedCondition",
}


def parse(page: Page) -> dict[str, Any]:
    """The product. Raises ItemFailed(parser_no_match) if there is none, or it has no name."""
    declared = metadata_of(page)
    read = {
        "json_ld": _of_nodes(page, declared["json_ld"]),
        "microdata": _of_nodes(page, [*map(as_node, declared["microdata"])]),
        "rdfa": _of_nodes(page, [*map(as_node, declared["rdfa"])]),
        "opengraph": _of_opengraph(page, declared["opengraph"]),
    }
    found = {source: facts for source, facts in read.items() if facts.get("name")}
    if not found:
        raise nothing("product in JSON-LD, microdata, RDFa or Open Graph")
    whole: Facts = {}
    for facts in found.values():
        whole = facts | whole
    return {field: whole.get(field) for field in _FIELDS} | {
        "images": whole.get("images", []),
        "source": next(iter(found)),
    }


def as_node(item: Node) -> Node:
    """An item of microdata or RDFa as JSON-LD has it: names without their vocabulary."""
    node: Node = {"@type": item["type"]}
    for term, values in item["properties"].items():
        node[last(term)] = [as_node(value) if isinstance(value, dict) else value for value in values]
    return node


def _of_nodes(page: Page, values: list[Any]) -> Facts:
    """The facts of the first product that has an offer, else of the first."""
    products = [*_products(values)]
    best = next((node for node in products if node.get("offers")), products[0] if products else None)
    return _known(_facts(page, best)) if best is not None else {}


def _products(value: Any, depth: int = 0) -> Iterator[Node]:
    if isinstance(value, dict):
        if any(isinstance(kind, str) and last(kind) in _TYPES for kind in several(value.get("@type"))):
            yield value
        value = [one for term, one in value.items() if term not in _OTHERS]
    if isinstance(value, list) and depth < _DEPTH:
        for one in value:
            yield from _products(one, depth + 1)


def _facts(page: Page, node: Node) -> Facts:
    variants = objects(node.get("hasVariant"))[:_MOST]
    offers = [offer for one in (node, *variants) for offer in objects(one.get("offers"))]
    first = offers[0] if offers else {}
    return {
        "name": plain(node.get("name")),
        "description": plain(node.get("description")),
        "url": page.web(text(node.get("url")) or text(first.get("url"))),
        "brand": plain(name(node.get("brand")) or name(node.get("manufacturer"))),
        "sku": text(node.get("sku")) or text(first.get("sku")),
        "gtin": next(filter(None, (text(one.get(term)) for one in (node, first) for term in _GTINS)), None),
        "mpn": text(node.get("mpn")),
        **_price(offers),
        "availability": _enum(first.get("availability")),
        "condition": _enum(first.get("itemCondition") or node.get("itemCondition")),
        "images": _images(page, node.get("image")),
        "rating": _rating(node.get("aggregateRating")),
    }


def _price(offers: list[Node]) -> Facts:
    """Of the first offer that has a price, or a range of them."""
    for offer in offers:
        for node in (offer, *objects(offer.get("priceSpecification"))):
            low, high = ([amount(node.get(term)) for term in terms] for terms in (_LOW, _HIGH))
            price = next((one for one in low if one is not None), None)
            if price is not None:
                currency = text(node.get("priceCurrency")) or text(offer.get("priceCurrency"))
                return {
                    "price": price,
                    "high_price": next((one for one in high if one is not None), None),
                    "currency": _currency(currency),
                }
        if (nested := objects(offer.get("offers"))) and (found := _price(nested[:_MOST])):
            return found
    return {}


def _of_opengraph(page: Page, graph: dict[str, str]) -> Facts:
    price = graph.get("product:price:amount") or graph.get("og:price:amount")
    if not price and "product" not in graph.get("og:type", ""):
        return {}
    facts = {
        "name": graph.get("og:title"),
        "description": graph.get("og:description"),
        "url": page.web(graph.get("og:url")),
        "brand": graph.get("product:brand") or graph.get("og:brand"),
        "sku": graph.get("product:retailer_item_id"),
        "gtin": graph.get("product:ean") or graph.get("product:upc") or graph.get("product:isbn"),
        "mpn": graph.get("product:mfr_part_no"),
        "price": amount(price),
        "currency": _currency(graph.get("product:price:currency") or graph.get("og:price:currency")),
        "availability": _enum(graph.get("product:availability") or graph.get("og:availability")),
        "condition": _enum(graph.get("product:condition")),
        "images": _images(page, graph.get("og:image")),
    }
    return _known(facts)


def _known(facts: Facts) -> Facts:
    return {field: value for field, value in facts.items() if value is not None and value != []}


def _currency(code: str | None) -> str | None:
    return code.upper() if code and len(code) == 3 else None


def _enum(value: Any) -> str | None:
    """A name of schema.org, of whatever spelling: a URL, a name, a word."""
    one = next(iter(several(value)), None)
    word = last(text(one.get("@id") if isinstance(one, dict) else one) or "")
    return _WORDS.get(word.lower().replace("_", " "), word) or None


def _rating(value: Any) -> Facts | None:
    for node in objects(value):
        count = next((n for term in ("ratingCount", "reviewCount") if (n := amount(node.get(term))) is not None), None)
        rating = {"value": amount(node.get("ratingValue")), "best": amount(node.get("bestRating"))}
        if rating["value"] is not None or count is not None:
            return {**rating, "count": None if count is None else int(min(count, _MANY))}
    return None


def _images(page: Page, value: Any) -> list[str]:
    references = (one.get("url") or one.get("contentUrl") if isinstance(one, dict) else one for one in several(value))
    urls = (page.web(text(reference)) for reference in references)
    return [*dict.fromkeys(filter(None, urls))][:_MOST]
