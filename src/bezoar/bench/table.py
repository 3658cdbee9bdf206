"""The results of a grid as a table: one row an attack and rate, means over seeds with the spread beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean

from bezoar.bench.config import Cell
from bezoar.bench.results import CellResult
from bezoar.errors import UsageError
from bezoar.records import Skipped

COLUMNS = (
    "attack",
    "rate",
    "poisons",
    "seeds",
    "clean accuracy",
    "difference to twin",
    "ASR",
    "ASR of the twin",
    "robust accuracy",
    "PSNR",
    "SSIM",
    "swallowed",
    "s to poison",
)
PUBLISHED = "published: clean accuracy / ASR"
BEGIN, END = "<!-- bench -->", "<!-- end of bench -->"


def markdown_table(results: Sequence[tuple[Cell, CellResult]]) -> str:
    """A Markdown table; each rate is the mean over seeds in per cent, with lowest and highest in brackets."""
    published = any(cell.attack.published for cell, _ in results)
    names = list(dict.fromkeys(cell.attack.name for cell, _ in results))
    places = sorted({(names.index(cell.attack.name), -(cell.rate or 0)) for cell, _ in results})
    rows = []
    for place, rate in places:
        group = [one for one in results if one[0].attack.name == names[place] and (one[0].rate or 0) == -rate]
        rows.append(_row(group, published=published))
    columns = (*COLUMNS, PUBLISHED) if published else COLUMNS
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def into_page(page: str, table: str) -> str:
    """The text of a Markdown page with the table between its two marks. Raises UsageError when it has no such marks."""
    before, first, rest = page.partition(BEGIN)
    _, last, after = rest.partition(END)
    if not first or not last:
        raise UsageError("the page has no place for the table", expected=f"a line {BEGIN} and later a line {END}")
    return f"{before}{first}\n{table}{last}{after}"


def _row(group: Sequence[tuple[Cell, CellResult]], *, published: bool) -> tuple[str, ...]:
    cell, first = group[0]
    results = [result for _, result in group]
    own = (cell.attack.published.get(f"{cell.rate:g}" if cell.rate else "", "") or "-",) if published else ()
    return (
        cell.attack.name.replace("|", "\\|"),
        "-" if cell.rate is None else f"{cell.rate:.1%}",
        f"{first.poisons:,}" + (f" + {first.covers:,} covers" if first.covers else ""),
        str(len(results)),
        _spread(results, lambda result: result.clean_accuracy),
        _spread(results, _difference, sign="+"),
        _spread(results, lambda result: result.attack_success),
        _mean(results, lambda result: result.twin_attack_success, 100, 1),
        _mean(results, lambda result: result.robust_accuracy, 100, 1),
        _mean(results, lambda result: result.psnr, 1, 1),
        _mean(results, lambda result: result.ssim, 1, 3),
        _mean(results, lambda result: result.swallowed, 100, 1),
        _mean(results, lambda result: result.seconds_to_poison, 1, 1),
        *own,
    )


def _difference(result: CellResult) -> float | Skipped:
    twin = result.twin_clean_accuracy
    return twin if isinstance(twin, Skipped) else result.clean_accuracy - twin


Part = Callable[[CellResult], float | Skipped]


def _values(results: Sequence[CellResult], part: Part, scale: float) -> list[float]:
    return [scale * found for found in map(part, results) if not isinstance(found, Skipped)]


def _spread(results: Sequence[CellResult], part: Part, sign: str = "") -> str:
    values = _values(results, part, 100)
    if not values:
        return "not measured"
    shown = f"{mean(values):{sign}.2f}"
    return shown if len(values) == 1 else f"{shown} ({min(values):{sign}.2f} to {max(values):{sign}.2f})"


def _mean(results: Sequence[CellResult], part: Part, scale: float, digits: int) -> str:
    values = _values(results, part, scale)
    return f"{mean(values):.{digits}f}" if values else "not measured"
