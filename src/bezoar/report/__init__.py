"""Records in, one self-contained HTML page or JSON out. No torch, no numpy, no network."""

from bezoar.report.page import facts_json, render_html, write_report
from bezoar.report.verdict import drill_headline

__all__ = ["drill_headline", "facts_json", "render_html", "write_report"]
