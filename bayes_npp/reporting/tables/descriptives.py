"""The table of descriptive statistics."""

from bayes_npp.reporting.base.cells import Table, number
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import variable_word

LABELS = {"sd": "SD overall", "sd_between": "SD between", "sd_within": "SD within"}


def descriptive_table(result: Result) -> Table:
    """Outcome, exposure, mediators and controls: how much of each varies between units and within them."""
    panel, frame = result.study.panel, result.descriptives
    words = [variable_word(result.study, name) for name in frame["variable"]]
    shown = frame.assign(variable=words, **{name: frame[name].map(number) for name in ("mean", *LABELS, "min", "max")})
    window = "all rows"
    if panel.window is not None:
        window = f"periods {' to '.join(map(panel.calendar.label, panel.window))}"
    notes = (
        f"Over {window}, each variable on the cells it has; missing: cells without a value.",
        "SDs by the conventions of Stata's xtsum (StataCorp, Longitudinal-Data/Panel-Data Reference Manual). Between: "
        "of the units' means. Within: of a value less its unit's mean plus the overall mean; blank in a cross-section. "
        "Their squares do not add up.",
    )
    return Table("descriptives", "The variables, between and within units", shown.rename(columns=LABELS), notes)
