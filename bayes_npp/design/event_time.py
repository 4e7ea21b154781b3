"""Columns of the exposure in later and earlier periods."""

from bayes_npp.errors import SpecError
from bayes_npp.panels.panel import Panel


def event_columns(panel: Panel, exposure: str, leads: int, lags: int) -> tuple[Panel, tuple[str, ...]]:
    """The panel with leads F<k>.<exposure>, the farthest first, and lags L<k>.<exposure>, and their names.

    Shifted by time, never by row; periods outside the window serve.

    Raises
    ------
    SpecError
        No lead, a number below zero.
    PanelError, DesignError
        No time column, periods whose distances are not known.
    """
    if leads < 1 or lags < 0:
        raise SpecError(f"leads = {leads}, lags = {lags}", fix="Use one lead or more, and lags of zero or more")
    values = panel.numbers(exposure)
    shifts = [(f"F{k}.{exposure}", -k) for k in range(leads, 0, -1)]
    shifts += [(f"L{k}.{exposure}", k) for k in range(1, lags + 1)]
    for name, by in shifts:
        panel = panel.with_column(name, panel.shift(values, by), moved=True)
    return panel, tuple(name for name, _ in shifts)


def place_of(term: str, exposure: str) -> int | None:
    """Periods after the exposure's own: 2 of an exposure two periods earlier, -1 of the next one's; None of others."""
    if term == exposure:
        return 0
    letter, _, rest = term[:1], "", term[1:]
    number, _, name = rest.partition(".")
    if name != exposure or letter not in ("F", "L") or not number.isdigit():
        return None
    return -int(number) if letter == "F" else int(number)
