"""Small drawings inside the page, as svg markup whose colours follow the page: dots, lanes, intervals, tiles, paths.

Every one takes plain numbers and words, says in `aria-label` what it shows, and escapes what it is given.
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from math import isfinite

from bayes_npp.reporting.base.numbers import MINUS

FILLED, HOLLOW = "dot for", "dot against"


def axis_range(values: Sequence[float], zero: bool = True, margin: float = 0.06) -> tuple[float, float]:
    """Ends of an axis around values, zero included."""
    found = [value for value in values if isfinite(value)] + ([0.0] if zero else [])
    low, high = min(found, default=0.0), max(found, default=1.0)
    if high <= low:
        low, high = low - 1, high + 1
    return low - margin * (high - low), high + margin * (high - low)


def dots(quantiles: Sequence[float], threshold: float, sign: int, words: str, width: int = 172) -> str:
    """Quantiles as stacked dots, those on the claim's side of the threshold filled."""
    height, radius = 62, 3.1
    low, high = axis_range([*quantiles, threshold], zero=False)
    x = _scale(low, high, width)
    bins = max(8, int(width / (2 * radius + 0.6)))
    stacked: dict[tuple[int, bool], int] = {}
    column: dict[int, int] = {}
    marks = []
    for value in sorted(quantiles):
        place = min(bins - 1, int((x(value) - 6) / (width - 12) * bins))
        level = column[place] = column.get(place, -1) + 1
        favours = sign * (value - threshold) > 0
        stacked[place, favours] = level
        marks.append((6 + (place + 0.5) * (width - 12) / bins, level, favours))
    step = min(2 * radius + 0.3, (height - 18) / max(1, max(column.values(), default=0) + 1))
    body = "".join(
        f'<circle cx="{at:.1f}" cy="{height - 16 - radius - level * step:.1f}" r="{radius}" '
        f'class="{FILLED if favours else HOLLOW}"/>'
        for at, level, favours in marks
    )
    cut = f'<line class="cut" x1="{x(threshold):.1f}" x2="{x(threshold):.1f}" y1="2" y2="{height - 12}"/>'
    base = f'<line class="axis" x1="0" x2="{width}" y1="{height - 15}" y2="{height - 15}"/>'
    return _svg(width, height, words, f"{base}{cut}{body}{_ticks([threshold], x, height - 2, width)}")


def lanes(
    probability: float,
    rows: Sequence[tuple[str, Sequence[float]]],
    bars: tuple[float, float],
    words: str,
    width: int = 232,
) -> str:
    """A lane for every kind of choice with a mark for each probability; a line for the answer; zones beyond bars."""
    left, lane = 62, 15
    height = lane * len(rows) + 16
    x = _scale(0, 1, width - left - 4, left, 2)
    low, high = bars
    foot = height - 14
    body = f'<rect class="zone" x="{x(0):.1f}" y="0" width="{x(low) - x(0):.1f}" height="{foot}"/>'
    body += f'<rect class="zone" x="{x(high):.1f}" y="0" width="{x(1) - x(high):.1f}" height="{foot}"/>'
    for number, (kind, marks) in enumerate(rows):
        y = lane * number + lane / 2
        body += f'<text x="0" y="{y + 4:.1f}">{escape(kind)}</text>'
        if not marks:
            place = x(0.25 if probability > 0.5 else 0.75)  # beside the line of the answer
            body += f'<text x="{place:.1f}" y="{y + 4:.1f}" text-anchor="middle" class="faint">not varied</text>'
            continue
        body += f'<line class="hair" x1="{x(0):.1f}" x2="{x(1):.1f}" y1="{y}" y2="{y}"/>'
        thick = "thin" if len(marks) > 12 else "thick"
        body += "".join(
            f'<line class="mark lane{number} {thick}" x1="{x(p):.1f}" x2="{x(p):.1f}" y1="{y - 5:.1f}" '
            f'y2="{y + 5:.1f}"/>'
            for p in sorted({round(p, 3) for p in marks})
        )
    body += f'<line class="answer" x1="{x(probability):.1f}" x2="{x(probability):.1f}" y1="0" y2="{foot}"/>'
    body += "".join(
        f'<text x="{x(p):.1f}" y="{height - 2}" text-anchor="{anchor}">{p:g}</text>'
        for p, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    return _svg(width, height, words, body)


def p_strip(values: Sequence[float], words: str, cut: float = 0.05, width: int = 260) -> str:
    """P-values as marks between 0 and 1 on a square-root scale, which gives small ones room; the zone below a cut."""
    height = 34
    x = _scale(0, 1, width)
    body = f'<rect class="zone" x="{x(0):.1f}" y="2" width="{x(cut**0.5) - x(0):.1f}" height="16"/>'
    body += f'<line class="hair" x1="{x(0):.1f}" x2="{x(1):.1f}" y1="10" y2="10"/>'
    for value in values:
        at = f"{x(value**0.5):.1f}"
        body += f'<line class="mark lane0 thick" x1="{at}" x2="{at}" y1="4" y2="16"/>'
    for value in (0, cut, 0.25, 1):
        anchor = "start" if value == 0 else "end" if value == 1 else "middle"
        body += f'<text x="{x(value**0.5):.1f}" y="{height - 4}" text-anchor="{anchor}">{value:g}</text>'
    return _svg(width, height, words, body)


def intervals(
    series: Sequence[tuple[str, float, float, float]], ends: tuple[float, float], words: str, width: int = 260
) -> str:
    """One line for each (class, estimate, lo, hi), with a mark that differs by class, and zero as a rule."""
    lane = 17
    height = lane * len(series) + 4
    x = _scale(*ends, width)
    body = f'<line class="axis" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{height}"/>' if ends[0] < 0 < ends[1] else ""
    for number, (kind, estimate, lo, hi) in enumerate(series):
        y = lane * number + lane / 2 + 2
        if isfinite(lo) and isfinite(hi):
            start, end = _inside(x(lo), width), _inside(x(hi), width)
            body += f'<line class="reach {kind}" x1="{start}" x2="{end}" y1="{y}" y2="{y}"/>'
        if isfinite(estimate):
            body += _mark(kind, x(estimate), y, hollow=not isfinite(lo))
    return _svg(width, height, words, body)


def axis(ends: tuple[float, float], words: str, width: int = 260) -> str:
    """An axis of its own, for the heading of a column of `intervals`."""
    x = _scale(*ends, width)
    ticks = round_ticks(*ends)
    marks = "".join(f'<line class="axis" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="14" y2="18"/>' for t in ticks)
    return _svg(width, 19, words, marks + _ticks(ticks, x, 11, width))


def round_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """A few round numbers inside a range."""
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [0.0 if abs(t) < 1e-12 else float(t) for t in found if low <= t <= high]


def bars(shares: Sequence[tuple[str, float]], words: str, width: int = 380, most: float | None = None) -> str:
    """Names with a bar each, in the order given; the value as per cent beside it."""
    lane, left = 18, 118
    top = most or max((share for _, share in shares), default=1.0) or 1.0
    body = ""
    for number, (name, share) in enumerate(shares):
        y = lane * number
        long = (width - left - 46) * max(0.0, share) / top
        body += f'<text x="0" y="{y + 13}" class="ink">{escape(_short(name, 18))}</text>'
        body += f'<rect class="bar-for" x="{left}" y="{y + 3}" width="{long:.1f}" height="{lane - 6}"/>'
        body += f'<text x="{left + long + 5:.1f}" y="{y + 13}">{100 * share:.0f} %</text>'
    return _svg(width, lane * len(shares) + 2, words, body)


def tiles(
    cells: Sequence[tuple[str, int, int, float]], words: str, size: int = 44, short: Mapping[str, str] | None = None
) -> str:
    """A grid of units: (name, row, column, share), darker where the share is larger; `short` names on the tiles."""
    top = max((share for *_, share in cells), default=1.0) or 1.0
    first_row, first_column = min(c[1] for c in cells), min(c[2] for c in cells)
    rows, columns = max(c[1] for c in cells) - first_row + 1, max(c[2] for c in cells) - first_column + 1
    body = ""
    for name, row, column, share in cells:
        x, y = (column - first_column) * size, (row - first_row) * size
        strong = share / top
        body += f'<rect class="tile" style="fill-opacity:{0.06 + 0.94 * strong:.2f}" x="{x}" y="{y}" '
        body += (
            f'width="{size - 3}" height="{size - 3}" rx="4"><title>{escape(name)}: {100 * share:.1f} %</title></rect>'
        )
        kind, said = "over" if strong > 0.5 else "ink", (short or {}).get(name, name[:3])
        body += f'<text class="{kind} short" x="{x + (size - 3) / 2}" y="{y + 18}" text-anchor="middle">'
        body += f"{escape(said)}</text>"
        body += (
            f'<text class="{kind}" x="{x + (size - 3) / 2}" y="{y + 33}" text-anchor="middle">{100 * share:.0f}</text>'
        )
    return _svg(columns * size, rows * size, words, body)


def paths(
    exposure: str,
    mediator: str,
    outcome: str,
    labels: tuple[str, str, str],
    clear: tuple[bool, bool, bool],
    words: str,
) -> str:
    """A path diagram: exposure to mediator, mediator to outcome, and the direct path; dashed where a sign is open."""
    width, height = 380, 150
    boxes = ((2, 92, exposure), (127, 6, mediator), (252, 92, outcome))
    style = ["" if own else " open" for own in clear]
    body = (
        f'<line class="arrow{style[0]}" x1="80" y1="90" x2="134" y2="50"/>'
        f'<line class="arrow{style[1]}" x1="246" y1="50" x2="300" y2="90"/>'
        f'<line class="arrow{style[2]}" x1="130" y1="113" x2="249" y2="113"/>'
    )
    heads = ((134, 50, -36.5), (300, 90, 36.5), (249, 113, 0.0))
    body += "".join(
        f'<path class="head" transform="translate({x} {y}) rotate({angle})" d="M0 0L-8 -4L-8 4Z"/>'
        for x, y, angle in heads
    )
    for x, y, name in boxes:
        body += f'<rect class="box" x="{x}" y="{y}" width="126" height="42" rx="6"/>'
        lines = _wrapped(name, 20)
        for number, line in enumerate(lines):
            at = y + 26 + (number - (len(lines) - 1) / 2) * 13
            body += f'<text class="ink" x="{x + 63}" y="{at:.0f}" text-anchor="middle">{escape(line)}</text>'
    for label, (x, y, anchor) in zip(labels, ((96, 64, "end"), (284, 64, "start"), (190, 131, "middle")), strict=True):
        body += f'<text class="ink" x="{x}" y="{y}" text-anchor="{anchor}">{escape(label)}</text>'
    return _svg(width, height, words, body)


def lines(series: Sequence[tuple[str, Sequence[float]]], words: str, width: int = 112, height: int = 46) -> str:
    """A few short series in one small panel, each over its own range."""
    body = f'<line class="axis" x1="0" x2="{width}" y1="{height - 2}" y2="{height - 2}"/>'
    for number, (_, values) in enumerate(series):
        found = [value for value in values if isfinite(value)]
        if len(found) < 2:
            continue
        low, high = min(found), max(found)
        span = (high - low) or 1.0
        points, pen = "", "M"
        for place, value in enumerate(values):
            if not isfinite(value):
                pen = "M"
                continue
            at = 3 + place * (width - 6) / max(1, len(values) - 1)
            points += f"{pen}{at:.1f} {height - 6 - (value - low) / span * (height - 12):.1f}"
            pen = "L"
        body += f'<path class="series{number}" d="{points}"/>'
    return _svg(width, height, words, body)


ICONS = {
    "supported": '<path d="M2 7l3.4 3.4L12 3.6" fill="none"/>',
    "but fragile": '<path d="M7 1.5l5.6 10.5H1.4z" fill="none"/><path d="M7 5.4v3.2M7 10.2v.2"/>',
    "undecided": '<circle cx="7" cy="7" r="5.4" fill="none"/><path d="M7 1.6a5.4 5.4 0 0 1 0 10.8z" class="half"/>',
    "contradicted": '<path d="M3 3l8 8M11 3l-8 8" fill="none"/>',
    "negligible": '<path d="M2 5h10M2 9h10" fill="none"/>',
}


def icon(verdict: str) -> str:
    """The sign of a verdict, beside its word."""
    found = next((drawn for name, drawn in ICONS.items() if verdict == name or verdict.endswith(f" {name}")), "")
    return f'<svg class="icon" viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">{found}</svg>'


def _mark(kind: str, x: float, y: float, hollow: bool) -> str:
    style = f"point {kind}{' hollow' if hollow else ''}"
    if kind.startswith("b"):
        return f'<path class="{style}" d="M{x:.1f} {y - 4.6:.1f}l4.6 4.6l-4.6 4.6l-4.6 -4.6z"/>'
    if kind.startswith("c"):
        return f'<rect class="{style}" x="{x - 3.6:.1f}" y="{y - 3.6:.1f}" width="7.2" height="7.2"/>'
    return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="4.2"/>'


def _ticks(values: Sequence[float], x: Callable[[float], float], y: float, width: int) -> str:
    out = ""
    for value in values:
        at = x(value)
        anchor = "start" if at < 12 else "end" if at > width - 12 else "middle"
        out += f'<text x="{at:.1f}" y="{y}" text-anchor="{anchor}">{f"{value:g}".replace("-", MINUS)}</text>'
    return out


def _scale(low: float, high: float, width: float, start: float = 0, edge: float = 6) -> Callable[[float], float]:
    return lambda value: start + edge + (value - low) / (high - low) * (width - 2 * edge)


def _inside(x: float, width: int) -> str:
    return f"{min(max(x, 0), width):.1f}"


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}\u2026"


def _wrapped(name: str, width: int) -> list[str]:
    from textwrap import wrap

    return [_short(line, width) for line in wrap(name, width)[:2]] or [""]


def _svg(width: float, height: float, words: str, body: str) -> str:
    return (
        f'<svg class="small" role="img" aria-label="{escape(words, quote=True)}" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}">{body}</svg>'
    )
