"""Records in, one self-contained HTML page or JSON out. No torch, no numpy, no network."""

from bezoar.report.page import facts_json, render_html, write_report

__all__ = ["facts_json", "render_html", "write_report"]
