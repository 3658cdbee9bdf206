"""The page in a real browser: quiet console, no request, no sideways scrolling, dark when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import headless_chromium
import pytest
from headless_chromium import Browser
from sample_record import SIGNS, hostile_record, sample_record, several_record
from sample_scan import hostile_scan, inconclusive_scan, large_scan, sample_scan

from bezoar.records import Skipped
from bezoar.report import write_report

pytestmark = pytest.mark.skipif(
    headless_chromium.BINARY is None, reason="no chromium, chromium-browser or google-chrome"
)

LONG = "Speedlimit" * 12
HOSTILE = "</style><script>document.title='owned'</script><img src=http://127.0.0.1:9/x onerror=alert(1)>"
RECORDS = {
    "as usual": sample_record(pairs=24),
    "long names": sample_record((LONG, f"{LONG}80", *SIGNS[2:])),
    "100 classes": sample_record(tuple(f"class {number}" for number in range(100))),
    "several backdoors": several_record(),
    "no twin": replace(sample_record(), twin=Skipped("left out " * 30), monitoring=Skipped("no clean twin")),
    "hostile": hostile_record(HOSTILE),
    "scan": sample_scan(),
    "scan of many": large_scan(),
    "scan, nothing checked": inconclusive_scan(),
    "scan, long names": hostile_scan(LONG),
    "scan, hostile": hostile_scan(HOSTILE),
}
OFF_PAGE = """[...document.querySelectorAll('body *')].filter(element =>
    !element.closest('.scroll, .unseen, .skip') && element.getBoundingClientRect().right > %d + 0.5
).map(element => element.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless_chromium.browser() as started:
        yield started


@pytest.fixture(scope="module", params=RECORDS)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(RECORDS[request.param], tmp_path_factory.mktemp("report"))


def test_console_is_quiet_and_nothing_is_requested(chromium: Browser, report: Path):
    chromium.open(report, width=1280)
    assert chromium.complaints() == []
    beyond = [url for url in chromium.requests() if not url.startswith("data:")]
    assert beyond == [report.resolve().as_uri()]
    assert chromium.evaluate("document.title") != "owned"
    assert chromium.evaluate("document.scripts.length") == 0
    assert report.stat().st_size < 3_000_000


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_page_never_scrolls_sideways(chromium: Browser, report: Path, width: int):
    chromium.open(report, width=width)
    chromium.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert chromium.evaluate(OFF_PAGE % width) == []
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


def test_commands_break_between_words_and_are_copied_as_they_are(chromium: Browser, tmp_path: Path):
    """At a hyphen a line broke inside an option: `--clean aircraft -`, and `-split test` below."""
    command = "bezoar inspect some-model-folder --clean aircraft --clean-split test --reference-from trusted-models"
    record = replace(sample_record(), commands=(command, "bezoar train 'a  b' --out " + "long-" * 40))
    chromium.open(write_report(record, tmp_path), width=390)
    shown = "[...document.querySelectorAll('pre')].at(%d)"
    copied = "(range => (range.selectNodeContents(%s), getSelection().removeAllRanges(), getSelection().addRange(range)"
    copied += ", getSelection().toString()))(document.createRange())"
    assert [chromium.evaluate(copied % (shown % place)) for place in (-2, -1)] == list(record.commands)
    lines = "[...%s.querySelectorAll('.word')].map(word => (range => (range.selectNodeContents(word), "
    lines += "new Set([...range.getClientRects()].map(one => one.top)).size))(document.createRange()))"
    assert set(chromium.evaluate(lines % (shown % -2))) == {1}
    assert max(chromium.evaluate(lines % (shown % -1))) > 1  # wider than the page, and nothing of it is cut off
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 390


def test_dark_is_dark_and_light_is_light(chromium: Browser, tmp_path: Path):
    report = write_report(sample_record(), tmp_path)
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    chromium.open(report, width=1280)
    assert min(chromium.evaluate(brightness)) > 200
    chromium.open(report, width=1280, dark=True)
    assert max(chromium.evaluate(brightness)) < 60
    chromium.call(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    assert min(chromium.evaluate(brightness)) == 255
    chromium.call("Emulation.setEmulatedMedia", media="")


def test_pictures_are_decoded_and_enlarged_without_smoothing(chromium: Browser, tmp_path: Path):
    chromium.open(write_report(sample_record(), tmp_path), width=1280)
    widths = chromium.evaluate("[...document.images].map(image => [image.naturalWidth, image.width])")
    assert len(widths) == 24
    assert all(natural == 32 and shown >= 64 for natural, shown in widths)
    assert chromium.evaluate("getComputedStyle(document.images[0]).imageRendering") == "pixelated"


def test_the_checks_would_notice_a_bad_page(chromium: Browser, tmp_path: Path):
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'>"
        "<div style='width:900px'>wide</div><img src='http://127.0.0.1:9/x.png'><script>missing()</script>"
    )
    chromium.open(page, width=360)
    assert any("missing is not defined" in complaint for complaint in chromium.complaints())
    assert "http://127.0.0.1:9/x.png" in chromium.requests()
    assert chromium.evaluate("document.documentElement.scrollWidth") > 360
    assert len(chromium.evaluate(OFF_PAGE % 360)) == 1
