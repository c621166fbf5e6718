"""Scrapy with html-to-markdown writing JSONL: `PYTHON bench/scrapy_peer.py URLS FOLDER`, in the peers' own environment.

Its defaults, but for: the limits per host and in all as Thresher has them, robots.txt obeyed (the template's default), and off what
costs time and is of no use here (cookies, telnet, logs, statistics in the log). html-to-markdown without its metadata pass, which is slower and
finds no more than the selectors below.
"""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import scrapy
from html_to_markdown import ConversionOptions, convert
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response, TextResponse

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import peer

_OPTIONS = ConversionOptions(extract_metadata=False)


class Pages(scrapy.Spider):
    name = "pages"
    urls: list[str]

    async def start(self) -> AsyncIterator[Any]:
        for url in self.urls:
            yield scrapy.Request(url)

    def parse(self, response: Response, **_: Any) -> Iterator[dict[str, Any]]:
        assert isinstance(response, TextResponse)
        hrefs = response.css("a::attr(href), area::attr(href)").getall()
        yield {
            "url": response.url,
            "status": response.status,
            "title": response.css("title::text").get(),
            "markdown": convert(response.text, _OPTIONS).content,
            "links": list(dict.fromkeys(map(response.urljoin, hrefs))),
        }


def main() -> None:
    process = CrawlerProcess(
        {
            "ROBOTSTXT_OBEY": True,
            "CONCURRENT_REQUESTS": 128,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 4,
            "COOKIES_ENABLED": False,
            "TELNETCONSOLE_ENABLED": False,
            "LOG_ENABLED": False,
            "FEEDS": {str(Path(sys.argv[2]) / "pages.jsonl"): {"format": "jsonlines", "encoding": "utf-8"}},
        }
    )
    process.crawl(Pages, urls=Path(sys.argv[1]).read_text().split())
    with peer.at_work():
        process.start()


if __name__ == "__main__":
    main()
