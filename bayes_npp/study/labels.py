"""The [labels] table: what readers see instead of names of columns; units, groups and other labels in Chinese."""

from bayes_npp.errors import SpecError, nearest
from bayes_npp.panels.panel import Panel
from bayes_npp.records import Record


class Labels(Record):
    """The [labels] table.

    `unit` and `group` are each a column of the panel with the labels in Chinese, or a table of label = "Chinese".
    `words` are any other labels and names that readers see: values of another grouping, a concept that roles share.
    `columns` are names of the panel's columns in English words, as `title` is of variables that a study makes.
    """

    unit: str | dict[str, str] | None = None
    group: str | dict[str, str] | None = None
    words: dict[str, str] = {}  # noqa: RUF012 (pydantic copies it)
    columns: dict[str, str] = {}  # noqa: RUF012


def labels_in_chinese(labels: Labels | None, panel: Panel) -> dict[str, str]:
    """The Chinese label of every unit and group, by the panel's own.

    Raises
    ------
    SpecError
        A column that the panel does not have, or that calls one unit or group by two names.
    """
    out: dict[str, str] = {}
    if labels is None:
        return out
    for key, column in (("unit", panel.unit), ("group", panel.group)):
        declared = getattr(labels, key)
        if isinstance(declared, dict):
            out |= declared
        elif declared is not None and column is not None:
            out |= _by_column(declared, column, panel)
    return out


def check_columns(labels: Labels | None, panel: Panel) -> None:
    """Raise `SpecError` for a column that is given words and is not there."""
    for name in labels.columns if labels else ():
        _check_is_there(name, panel)


def _check_is_there(name: str, panel: Panel) -> None:
    if name not in panel.frame.columns:
        columns = list(map(str, panel.frame.columns))
        raise SpecError(f"there is no column '{name}'", place="[labels]", fix=nearest(name, columns))


def _by_column(name: str, column: str, panel: Panel) -> dict[str, str]:
    _check_is_there(name, panel)
    frame = panel.frame
    pairs = frame[[column, name]].dropna().astype(str).drop_duplicates()
    twice = pairs[column].duplicated()
    if twice.any():
        label = pairs.loc[twice, column].iloc[0]
        raise SpecError(
            f"column '{name}' has two names for '{label}'", place="[labels]", fix="Give each label one name in Chinese"
        )
    return dict(zip(pairs[column], pairs[name], strict=True))
