"""Formulas: the columns and the effects of a regression, as one writes them."""

import re
from dataclasses import dataclass
from typing import Any

from bayes_npp.errors import SpecError

EXAMPLE = "Write it as 'y ~ x + z | unit + time'"
FIXED = re.compile(r"fixed\((.+)\)")


@dataclass(frozen=True)
class Formula:
    """A formula as read.

    Attributes
    ----------
    outcome : str
    regressors : tuple of str
    effects : tuple of (str, str)
        Column and kind, "partial" or "fixed".
    """

    outcome: str
    regressors: tuple[str, ...]
    effects: tuple[tuple[str, str], ...]


def read_formula(text: str) -> Formula:
    """Read 'outcome ~ column + column | unit + time'; `fixed(unit)` is a fixed effect.

    Raises
    ------
    SpecError
        No outcome, a term that is no column, more than two effects.
    """
    body, *effects = text.split("|")
    if len(effects) > 1:
        raise SpecError("the formula has two bars", place=f"formula '{text}'", fix=EXAMPLE)
    left, tilde, right = body.partition("~")
    outcome = _columns(left, text) if tilde else []
    regressors = _columns(right, text)
    if len(outcome) != 1 or not regressors:
        what = "no outcome" if len(outcome) != 1 else "no regressor"
        raise SpecError(f"the formula has {what}", place=f"formula '{text}'", fix=EXAMPLE)
    found = []
    for part in (part.strip() for part in "".join(effects).split("+") if part.strip()):
        fixed = FIXED.fullmatch(part)
        name = (fixed[1] if fixed else part).strip().strip("`")
        if not re.fullmatch(r"[\w .]+", name):
            raise SpecError(f"'{part}' is no effect", place=f"formula '{text}'", fix=EXAMPLE)
        found.append((name, "fixed" if fixed else "partial"))
    if len(found) > 2:
        raise SpecError(
            "the formula has more than two effects",
            place=f"formula '{text}'",
            fix="Effects are those of units and of periods; group_time_effects = '...' adds periods of groups",
        )
    return Formula(outcome[0], tuple(regressors), tuple(found))


def _columns(text: str, whole: str) -> list[str]:
    """Names of the columns of one side."""
    from formulaic import Formula as Parsed
    from formulaic.errors import FormulaicError

    if not text.strip():
        return []
    try:
        parsed: Any = Parsed(text.strip())
        terms = list(parsed)
    except (FormulaicError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SpecError(f"the formula cannot be read ({reason})", place=f"formula '{whole}'", fix=EXAMPLE) from None
    out = []
    for term in terms:
        if str(term) == "1":
            continue
        factors = list(term.factors)
        if len(factors) != 1 or "lookup" not in str(factors[0].eval_method).lower():
            raise SpecError(
                f"'{term}' is no column",
                place=f"formula '{whole}'",
                fix="Derive it first: bn.derive(panel, [{'name': ..., 'log': ...}]); slopes='region' lets slopes vary",
            )
        out.append(str(factors[0].expr))
    return out


def placed_effects(formula: Formula, panel: Any) -> dict[str, str]:
    """`unit_effects` and `time_effects` of a formula; those it does not name are "none".

    The first is the unit's and the second the period's; with a panel they are told by its keys.

    Raises
    ------
    SpecError
        One effect alone without a panel, unless it is called unit or time; a name that is no key of the panel.
    """
    keys = {"unit": "unit_effects", "time": "time_effects"}
    own = {panel.unit: "unit_effects", panel.time: "time_effects"} if panel is not None else {}
    out = dict.fromkeys(keys.values(), "none")
    for number, (name, kind) in enumerate(formula.effects):
        place = own.get(name) or keys.get(name)
        if place is None and panel is not None:
            raise SpecError(
                f"'{name}' has no effects of its own: the panel's are '{panel.unit}' and '{panel.time}'",
                fix="group_time_effects = '...' gives groups period effects of their own",
            )
        if place is None and len(formula.effects) == 1:
            raise SpecError(
                f"'{name}' may be the unit or the period", fix="Give panel=..., or write '| unit' or '| time'"
            )
        place = place or list(keys.values())[number]
        if out[place] != "none":
            raise SpecError(f"'{name}' has the place of another effect", fix=EXAMPLE)
        out[place] = kind
    return out
