"""Propositions about estimands, such as `slope[East] > slope[West]`: read from text, never evaluated as code."""

import re
from dataclasses import dataclass

from bayes_npp.errors import SpecError, nearest
from bayes_npp.panels.labels import clean

# How many labels in brackets each quantity takes, at least and at most.
SLOPES = {
    "average_slope_twfe_weighted": (0, 0),
    "average_slope": (0, 0),
    "mean_group_slope": (0, 0),
    "slope": (0, 1),
}
PATHS = {
    "indirect": (1, 2),
    "path_a": (1, 2),
    "path_b": (1, 2),
    "total_indirect": (0, 1),
    "direct": (0, 1),
    "total": (0, 1),
}
QUANTITIES = {**SLOPES, **PATHS}
# A label in quotes may hold commas and brackets; a quote in it is doubled.
_LABEL = r"""\s*(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|[^\s"',\]][^,\]]*|)\s*"""
_LABELS = re.compile(rf"({_LABEL}),")
_SIDE = rf"\w+(?:\[{_LABEL}(?:,{_LABEL})*\])?"
_PROPOSITION = re.compile(rf"^\s*({_SIDE})\s*([<>])\s*(.+?)\s*$")
_QUANTITY = re.compile(rf"^(\w+)(?:\[({_LABEL}(?:,{_LABEL})*)\])?$")
_PLAIN = re.compile(r"""[^\s"',\[\]](?:[^,\[\]]*[^\s,\[\]])?""")
EXAMPLES = (
    "Write one such as 'average_slope > 0', 'slope[East] > slope[West]' or 'indirect[structure] > 0', and a label that "
    'holds a comma or a bracket in quotes: slope["East, coast"] > 0'
)


@dataclass(frozen=True)
class Quantity:
    """An estimand by name, and what stands in its brackets: a group, or a mediator and a group."""

    name: str
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(map(_quoted, self.labels))}]" if self.labels else self.name


@dataclass(frozen=True)
class Proposition:
    """That one quantity exceeds another, or a number, or (sign -1) falls short of it."""

    left: Quantity
    sign: int
    right: Quantity | float

    def __str__(self) -> str:
        right = repr(self.right).removesuffix(".0") if isinstance(self.right, float) else str(self.right)
        return f"{self.left} {'>' if self.sign > 0 else '<'} {right}"

    @property
    def is_difference(self) -> bool:
        """Whether it compares two quantities."""
        return isinstance(self.right, Quantity)

    @property
    def is_mechanism(self) -> bool:
        """Whether it is about paths of a mediation model."""
        return self.left.name in PATHS

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        return (self.left, self.right) if isinstance(self.right, Quantity) else (self.left,)

    @property
    def threshold(self) -> float:
        """What the left side less the right one, where that is a quantity, is compared with."""
        return 0.0 if isinstance(self.right, Quantity) else self.right


def parse_proposition(text: str) -> Proposition:
    """Read a proposition.

    Raises
    ------
    SpecError
        No comparison, an unknown quantity, the wrong number of labels, slopes compared with paths.
    """
    found = _PROPOSITION.match(text) if isinstance(text, str) else None
    if not found:
        raise SpecError(f"'{text}' is no proposition", fix=EXAMPLES)
    left, sign = _quantity(found[1], text), 1 if found[2] == ">" else -1
    try:
        right: Quantity | float = float(found[3])
    except ValueError:
        right = _quantity(found[3], text)
    if isinstance(right, float) and not abs(right) < float("inf"):
        raise SpecError(f"'{text}' compares with {right}", fix="Compare with a number")
    if isinstance(right, Quantity):
        if (left.name in PATHS) != (right.name in PATHS):
            raise SpecError(f"'{text}' compares a slope with a path", fix="Compare quantities of one model")
        if left == right:
            raise SpecError(f"'{text}' compares a quantity with itself", fix="Compare two quantities")
    return Proposition(left, sign, right)


def _quantity(text: str, proposition: str) -> Quantity:
    found = _QUANTITY.match(text.strip())
    if not found:
        raise SpecError(f"'{text}' in '{proposition}' is no quantity", fix=EXAMPLES)
    name = found[1]
    if name not in QUANTITIES:
        raise SpecError(f"unknown quantity '{name}' in '{proposition}'", fix=nearest(name, QUANTITIES))
    labels = tuple(_unquoted(label) for label in _LABELS.findall(f"{found[2]},")) if found[2] is not None else ()
    fewest, most = QUANTITIES[name]
    if not fewest <= len(labels) <= most or not all(labels):
        takes = "no label" if most == 0 else f"{fewest} label" if fewest == most else f"{fewest} to {most} labels"
        raise SpecError(f"'{text.strip()}' in '{proposition}': '{name}' takes {takes} in brackets", fix=EXAMPLES)
    return Quantity(name, labels)


def _quoted(label: str) -> str:
    """A label as it is written in brackets."""
    return label if _PLAIN.fullmatch(label) else '"' + label.replace('"', '""') + '"'


def _unquoted(text: str) -> str:
    """The label behind what stands in brackets, cleaned as the panel's labels are."""
    text = text.strip()
    quote = text[:1]
    return clean(text[1:-1].replace(quote * 2, quote) if quote and quote in "\"'" else text)
