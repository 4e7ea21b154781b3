"""The panel: what it is said to be, outcome and exposure of every unit over time, what may be wrong with it."""

from collections import Counter
from html import escape

import numpy as np

from bayes_npp.reporting.base.blocks import Art, Bullets, Details, Finding, Findings, Paragraph, Sides
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.small import lines
from bayes_npp.reporting.base.words import counted, listed, lower, period_word, unit_word, variable_word
from bayes_npp.study.notices import study_notices

MOST = 120  # units drawn


def multiples(result: Result) -> Art | None:
    """Small multiples by unit; None in a cross-section."""
    study = result.study
    panel, roles = study.panel, study.roles
    if panel.time is None:
        return None
    sample = panel.frame[panel.in_window]
    times = sorted(sample[panel.time].unique())
    if len(times) < 2:
        return None
    items = []
    units = list(dict.fromkeys(sample[panel.unit]))
    names = [variable_word(study, name, unit=False) for name in (roles.outcome, roles.exposure)]
    for unit in units[:MOST]:
        own = sample[sample[panel.unit] == unit].set_index(panel.time)
        series = [
            (name, [float(own[column].get(t, np.nan)) for t in times])
            for name, column in zip(names, (roles.outcome, roles.exposure), strict=True)
        ]
        ends = [f"{name} from {_end(values, 0)} to {_end(values, -1)}" for name, values in series]
        items.append(f"<li>{escape(str(unit))}{lines(series, f'{unit}: {"; ".join(ends)}')}</li>")
    label = panel.calendar.label
    left = "" if len(units) <= MOST else f" The first {MOST} of {len(units)} are drawn."
    caption = (
        f"Solid: {names[0]}; dashed: {names[1]}; {label(times[0])} to {label(times[-1])}, each line over its own "
        f"range, so that shapes compare and levels do not.{left}"
    )
    heading = f"{counted(len(units), unit_word(study), unit_word(study, plural=True))}, {counted(len(times), 'period')}"
    return Art(heading, caption, f'<ul class="multiples">{"".join(items)}</ul>')


def _end(values: list[float], place: int) -> str:
    found = [value for value in values if np.isfinite(value)]
    return f"{found[place]:.3g}" if found else "no value"


def what_the_data_are(result: Result) -> Sides | None:
    """What the study says its data are, and are not; None where it says nothing."""
    header = result.study.header
    sides = (("They are", header.data_are), ("They are not", header.data_are_not))
    given = tuple(side for side in sides if side[1])
    return Sides(given) if given else None


def panel_line(result: Result) -> Paragraph:
    """Balance of the panel, and cells that are interpolated."""
    panel = result.study.panel
    cells = "; ".join(f"{cell.variable}, {cell.unit} {cell.time} (`{cell.value:.4g}`)" for cell in panel.filled)
    filled = "No cell is interpolated."
    if cells:
        filled = f"Filled by interpolation between a unit's own {period_word(result.study)}s: {cells}."
    return Paragraph(f"Panel: {panel.balance()}. {filled}")


def notices(result: Result) -> tuple[Paragraph, ...]:
    """What in the panel may be wrong."""
    return tuple(Paragraph(f"Warning: {notice}.", note=True) for notice in study_notices(result.study))


def association(result: Result) -> Paragraph:
    """What a slope is, and what it would take to be an effect."""
    text = (
        "Every slope here is an association given controls, unit and period effects. To read one as an effect takes "
        f"strict exogeneity of the exposure: no shock to the outcome may move the exposure in any "
        f"{period_word(result.study)}, and nothing "
        "left out may move both within a unit over time."
    )
    return Paragraph(text, note=True)


def doubts(result: Result) -> Details | None:
    """What the study itself doubts; None without any."""
    found = result.study.header.doubts
    return Details("What a careful reader doubts", (Bullets(tuple(found)),)) if found else None


def shared_columns(result: Result) -> Findings | None:
    """What the roles share by construction, outcome and exposure first; None where they share nothing."""
    study = result.study
    both = {study.roles.outcome, study.roles.exposure}
    main, others, columns = [], [], Counter[str]()
    for overlap in study.overlaps:
        if both <= {name for _, name, _ in overlap.parts}:
            main.append(overlap.what if overlap.kind == "concept" else f"the column {overlap.what} of the source")
            continue
        names = [
            role if role in ("outcome", "exposure") else lower(variable_word(study, name, unit=False))
            for role, name, _ in overlap.parts
        ]
        sharers = ", ".join(dict.fromkeys(names))
        if overlap.kind == "column":  # its name says little; it is in the table
            columns[sharers] += 1
        else:
            others.append(f"{overlap.what} ({sharers})")
    others += [f"{counted(many, 'column')} of the source ({sharers})" for sharers, many in columns.items()]
    if not main and not others:
        return None
    texts = [f"Outcome and exposure share {listed(main)}."] if main else []
    texts += [f"{'Also shared' if main else 'Roles share'}: {'; '.join(others)}."] if others else []
    text = " ".join([*texts, "Part of what is found between them holds by construction."])
    return Findings("", (Finding("warning", text),))
