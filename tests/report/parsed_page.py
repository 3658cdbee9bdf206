"""A report as a parsed page, for tests: standard library only."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}
SHAPES = {"path", "line", "circle", "rect", "polyline"}


class Page(HTMLParser):
    """A parsed page: elements in order, text by element, and everything that is not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self.texts: list[tuple[str, str]] = []
        # The words of a command are spans only for the sake of where its lines break.
        self.feed(re.sub(r'<span class="word">(.*?)</span>', r"\1", text, flags=re.DOTALL))
        self.close()
        self.faults += [f"never closed: {tag}" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in SHAPES:
            self.faults.append(f"closes itself: {tag}")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"closed out of order: {tag}")

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open and self.open[-1] != "style":
            self.texts.append((self.open[-1], data))

    @property
    def text(self) -> str:
        return " ".join(" ".join(data for _, data in self.texts).split())

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


def faults(text: str) -> list[str]:
    """All that keeps a page from being well-formed, accessible and self-contained."""
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    addresses = [str(a[key]) for _, a in page.elements for key in ("src", "href") if key in a]
    scopes = ("row", "col", "colgroup")
    checks = {
        "an id twice": len(ids) == len(set(ids)),
        "a link to nowhere": all(str(a["href"]).lstrip("#") in ids for a in page.all("a")),
        "a label that names nothing": all(
            a["aria-labelledby"] in ids for _, a in page.elements if "aria-labelledby" in a
        ),
        "a picture without words": all(attributes.get("alt") for attributes in page.all("img")),
        "a heading cell without scope": all(attributes.get("scope") in scopes for attributes in page.all("th")),
        "a drawing without words": all(
            "aria-hidden" in a or (a.get("role") == "img" and a.get("aria-label")) for a in page.all("svg")
        ),
        "headings out of order": levels[0] == 1
        and levels.count(1) == 1
        and all(after <= before + 1 for before, after in pairwise(levels)),
        "a table without caption": len(page.all("table")) == len(page.all("caption")),
        "an element that acts": page.all("script", "iframe", "object", "form", "base") == [],
        "an attribute that acts": not any(
            key.startswith("on") or key == "style" for _, a in page.elements for key in a
        ),
        "an address outside": all(address.startswith(("data:", "#")) for address in addresses),
        "a style that loads": "url(" not in text and "@import" not in text,
    }
    return page.faults + [fault for fault, passed in checks.items() if not passed]
