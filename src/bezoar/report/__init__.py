"""Records in, one self-contained HTML page, SARIF, JUnit or JSON out. No torch, no numpy, no network."""

from bezoar.report.drill_repair import repair_answer
from bezoar.report.drill_scan import scan_answer
from bezoar.report.junit import render_junit
from bezoar.report.page import facts_json, render_html, write_report
from bezoar.report.repair_verdict import repair_headline
from bezoar.report.sarif import render_sarif
from bezoar.report.scan_verdict import scan_headline
from bezoar.report.suspects_csv import render_suspects_csv
from bezoar.report.verdict import drill_headline

__all__ = [
    "drill_headline",
    "facts_json",
    "render_html",
    "render_junit",
    "render_sarif",
    "render_suspects_csv",
    "repair_answer",
    "repair_headline",
    "scan_answer",
    "scan_headline",
    "write_report",
]
