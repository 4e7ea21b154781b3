"""Who decides the slope: the units that hold what the baseline slope is estimated from, and the slope without them."""

import pandas as pd

from bayes_npp.analysis.without_units import Without
from bayes_npp.reporting.base.blocks import Art, Beside, Block, Details, Heading, Paragraph
from bayes_npp.reporting.base.cells import Table, number
from bayes_npp.reporting.base.numbers import tagged
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.small import bars, tiles
from bayes_npp.reporting.base.words import (
    counted,
    listed,
    lower,
    model_word,
    sentence,
    unit_word,
    units_word,
    variable_word,
)

MOST = 12  # bars, without a grid of tiles
PLAYED_DOWN = 3  # units named


def influence_blocks(result: Result) -> tuple[Block, ...]:
    """Shares of units on a grid or as bars, the slope without the first ones, every unit folded away."""
    found = result.influence
    if found is None:
        return ()
    study, frame = result.study, found.frame
    exposure = lower(variable_word(study, study.roles.exposure, unit=False))
    shares = list(zip(frame["unit"].astype(str), frame["share"].astype(float), strict=True))
    held = f"{100 * found.held:.0f} %"
    verb = "hold" if len(found.first) > 1 else "holds"
    heading = f"{sentence(units_word(study, found.first))} {verb} {held} of what decides this slope"
    words = f"{heading}; of {counted(len(frame), unit_word(study), unit_word(study, plural=True))}"
    positions = study.positions
    if positions and all(unit in positions for unit, _ in shares):
        placed = [(unit, positions[unit].row, positions[unit].column, share) for unit, share in shares]
        drawn = tiles(placed, words, short={unit: positions[unit].short for unit, _ in shares})
        shown = "A square each, roughly where it lies, with its share in per cent"
    else:
        drawn = bars(shares[:MOST], words)
        shown = f"The first {min(MOST, len(shares))} of {len(shares)}" if len(shares) > MOST else "All of them"
    caption = (
        f"{shown}: share in the variation of {exposure} that controls, unit and period effects leave, of which two-way "
        "fixed effects make their slope."
    )
    moved = "; ".join(
        f"without {_named(result, name)}: {tagged(number(slope), slope, f'influence.csv:{name}:slope_without')}"
        for name, slope in found.without
    )
    text = (
        f"Two-way fixed effects on all: {tagged(number(found.slope), found.slope, 'influence.csv:all:slope_without')}"
    )
    text += f"; {moved}. Left out are those whose absence moves the slope most." if moved else "."
    further = [Paragraph(said) for said in _of_the_posterior(result) if said]
    return (
        Beside((Art("", caption, drawn),), (Heading(heading), Paragraph(text), *further)),
        Details("Every unit's share", (_table(result, frame),)),
    )


def _of_the_posterior(result: Result) -> tuple[str, str]:
    """The posterior without the units that decide, and the units whose errors are largest, in sentences."""
    found = result.posterior_influence
    if found is None:
        return "", ""
    slopes = ""
    if found.differs:
        told = "; ".join(f"without {_named(result, own.left_out)}: {_slope(own)}" for own in found.without)
        slopes = (
            f"Two-way fixed effects lie outside the 95 % interval of the {model_word(result.study, found.model)} with "
            f"the errors behind the verdicts: {_slope(found.whole)} on all; {told}."
        )
    scales = ""
    if found.scaled is not None and found.scaled.error_scales is not None:
        first = found.scaled.error_scales.head(PLAYED_DOWN).to_dict("records")
        units = [
            f"{row['unit']} ({tagged(number(row['mean']), row['mean'], _ref(row['unit'], 'error_scale'))})"
            for row in first
        ]
        one, many = unit_word(result.study), unit_word(result.study, plural=True)
        scales = (
            f"A model with an error size of each {one} plays those {many} down whose errors are large. Largest error "
            f"SDs, in multiples of the median {one}'s: {listed(units)}."
        )
    return slopes, scales


def _named(result: Result, left_out: str) -> str:
    """One unit that is left out, or two."""
    return units_word(result.study, left_out.split(" and "))


def _slope(own: Without) -> str:
    """Slope and interval with what they are worth, or why there are none."""
    if pd.isna(own.estimate):
        return f"none ({own.why})"
    ref = own.left_out
    numbers = zip((own.estimate, own.lo, own.hi), ("posterior_without", "posterior_lo", "posterior_hi"), strict=True)
    estimate, low, high = (tagged(number(value), value, _ref(ref, column)) for value, column in numbers)
    return f"{estimate} ({low} to {high}{f'; {own.why}' if own.why else ''})"


def _ref(key: str, column: str) -> str:
    return f"influence.csv:{key}:{column}"


def _table(result: Result, frame: pd.DataFrame) -> Table:
    cells = [
        {
            unit_word(result.study): str(row["unit"]),
            "share of the variation left": f"{100 * row['share']:.1f} %",
            "slope without it": number(row["slope_without"]),
            "change": number(row["change"]),
        }
        for row in frame.to_dict("records")
    ]
    note = (
        "Two-way fixed effects with the study's controls, common slope. Without a unit, period effects and controls "
        "are estimated anew: the same as running the regression on the other units."
    )
    return Table("influence", "Who decides the slope", pd.DataFrame(cells), (note,))
