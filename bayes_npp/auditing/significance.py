"""Stars and thresholds as ranges of a two-sided p-value."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from bayes_npp.errors import SpecError
from bayes_npp.study.numerals import AS_PRINTED

STARS = (0.10, 0.05, 0.01)
FORMS = "Write p<0.01, p>0.10, 0.01<p<0.05, stars (*, **, ***) or ns, and a dagger by its level, such as p<0.10"

_NUMBER = r"(\d*\.?\d+)(%?)"
_ONE_SIDE = re.compile(rf"^p?(<=|>=|<|>|=){_NUMBER}$")
_TWO_SIDES = re.compile(rf"^{_NUMBER}<=?p<=?{_NUMBER}$")
_NONE = ("ns", "n.s.", "n.s", "notsignificant", "insignificant")


@dataclass(frozen=True)
class Range:
    """Lowest and highest value that what is printed allows; the highest may be infinite."""

    lo: float
    hi: float

    def meets(self, other: "Range") -> bool:
        """Whether the two ranges share a value, up to rounding of floating-point numbers."""
        slack = 1e-9 * max(1.0, *(x for x in (self.lo, other.lo) if x != float("inf")))
        return self.lo <= other.hi + slack and other.lo <= self.hi + slack


def parse_significance(text: str, stars: tuple[float, ...] = STARS) -> Range | None:
    """Range of the two-sided p-value that a printed significance allows; None for a blank.

    Parameters
    ----------
    text : str
        `p<0.01`, `p > .10`, `p<1%`, `0.01<p<0.05`, `p=0.03`, `*`, `**`, `***`, `ns`.
    stars : tuple of float
        Level of one star, two stars and so on, falling. A star says that the next one was not earned.

    Raises
    ------
    SpecError
        A form that is none of these, or a level outside (0, 1).
    """
    plain = unicodedata.normalize("NFKC", text.translate(AS_PRINTED)).replace("≤", "<=").replace("≥", ">=")
    plain = "".join(plain.lower().split())
    if not plain:
        return None
    if set(plain) == {"*"}:
        if len(plain) > len(stars):
            raise SpecError(
                f"the significance {text!r} has more stars than levels are declared", fix="Declare them (--stars)"
            )
        return Range((*stars, 0.0)[len(plain)], stars[len(plain) - 1])
    if plain in _NONE:
        return Range(stars[0], 1.0)
    if found := _ONE_SIDE.match(plain):
        sign, level = found[1], _level(found[2], found[3], text)
        if sign == "=":
            half = half_digit(found[2]) / (100 if found[3] else 1)
            return Range(max(level - half, 0.0), min(level + half, 1.0))
        return Range(0.0, level) if sign.startswith("<") else Range(level, 1.0)
    if found := _TWO_SIDES.match(plain):
        lo, hi = _level(found[1], found[2], text), _level(found[3], found[4], text)
        if lo < hi:
            return Range(lo, hi)
    raise SpecError(f"the significance {text!r} cannot be read", fix=FORMS)


def half_digit(text: str) -> float:
    """Half a unit of the last digit of a number as printed."""
    exponent = Decimal(text.strip()).as_tuple().exponent
    return 0.5 * 10.0**exponent if isinstance(exponent, int) else 0.0


def _level(digits: str, percent: str, text: str) -> float:
    level = float(digits) / (100 if percent else 1)
    if not 0 < level < 1:
        raise SpecError(f"the significance {text!r} has a level outside 0 to 1", fix=FORMS)
    return level
