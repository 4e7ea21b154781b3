"""A study file written from a panel: what is not said is guessed, and what was guessed is commented."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bayes_npp.errors import BayesNppError, OutputError, SpecError, nearest
from bayes_npp.panels.guesses import Guess, guess
from bayes_npp.panels.panel import Panel
from bayes_npp.store import shipped, write_text
from bayes_npp.study.checks import check_study
from bayes_npp.study.study import load_study

Ask = Callable[[str, Sequence[str], str], str]
FILE = "study.toml"
NAMED = {"outcome": ("outcome", "y", "dependent"), "exposure": ("exposure", "x", "treatment")}
ERRORS = ("ar1+unit_scale", "ar1", "iid")  # of a model without a ladder, the first that the panel carries
MANY_UNITS = 200  # above it a scale of each unit, which takes a chain in as many dimensions, is left to who asks for it
MOST_NAMED = 40  # columns in a comment


@dataclass(frozen=True)
class Started:
    """A study file that was written: where, and what in it was guessed."""

    path: Path
    guessed: tuple[str, ...]


def new_study(
    folder: Path,
    panel: Path,
    *,
    unit: str | None = None,
    time: str | None = None,
    group: str | None = None,
    outcome: str | None = None,
    exposure: str | None = None,
    controls: Sequence[str] | None = None,
    ask: Ask | None = None,
    force: bool = False,
) -> Started:
    """Read a panel, guess what is not given, and write a commented study file that passes `check`.

    Parameters
    ----------
    folder : Path
        Of the study; made where it does not exist.
    panel : Path
        A file that `read_panel` reads.
    unit, time, group, outcome, exposure : str, optional
    controls : sequence of str, optional
        None by default: nothing in a panel says what has to be held constant.
    ask : callable, optional
        Called with a question, the choices and the guess, for outcome and exposure that are not given.
    force : bool
        Write over a study that is there.

    Raises
    ------
    SpecError, PanelError, DesignError
        The panel cannot be read, a column is unknown, no model can be estimated; nothing is written.
    OutputError
        There is a study already, or the folder cannot be written.
    """
    _check_free(folder, force)
    found, read = guess(panel, unit, time, group)
    given = {"unit": unit, "time": time, "group": group, "outcome": outcome, "exposure": exposure}
    chosen = dict(given)
    for role in ("outcome", "exposure"):
        taken = [name for name in (chosen["outcome"], *(controls or ())) if name]
        left = [name for name in found.variables if name not in taken and name != chosen["exposure"]]
        if chosen[role] is None:
            if not left:
                raise SpecError(
                    f"no column of numbers is left for the {role}",
                    place=str(panel),
                    fix="It must vary within units and within periods: name one, or add columns",
                )
            likely = _likely(role, left)
            chosen[role] = ask(f"Which column is the {role}?", left, likely) if ask else likely
    named = [chosen["outcome"], chosen["exposure"], *(controls or ())]
    for name in named:
        if name not in read.frame:
            raise SpecError(f"unknown column '{name}'", place=str(panel), fix=nearest(str(name), read.frame.columns))
    place = os.path.relpath(panel.resolve(), folder.resolve())
    models = _models(found.group, read.balance().n_units)
    text = _first_that_passes(
        [_study_text(place, found, read, chosen, controls or (), own) for own in models], folder, panel
    )
    write_text(folder / FILE, text)
    guessed = {**chosen, **{name: getattr(found, name) for name in ("unit", "time", "group")}}
    own = [f"{role} = {guessed[role] or 'none'}" for role in given if given[role] is None]
    return Started(folder / FILE, tuple(own))


def _likely(role: str, names: Sequence[str]) -> str:
    """The column named after a role, else the first that is not named after another."""
    own = [name for name in names if name.lower() in NAMED[role]]
    others = {word for other, words in NAMED.items() if other != role for word in words}
    return (own or [name for name in names if name.lower() not in others] or list(names))[0]


def copy_example(folder: Path, name: str, force: bool = False) -> Started:
    """Copy a study that travels with the package, its panel beside it.

    Raises
    ------
    SpecError
        No such example.
    OutputError
        There is a study already, or the folder cannot be written.
    """
    known = examples()
    if name not in known:
        raise SpecError(f"unknown example '{name}'", fix=nearest(name, known))
    _check_free(folder, force)
    source = known[name]
    text = (source / FILE).read_text(encoding="utf-8")
    declared = re.search(r'^panel = "(.+)"$', text, re.MULTILINE)
    assert declared is not None
    data = shipped("datasets", "data") / Path(declared[1]).parent.name
    for path in (*source.iterdir(), *data.iterdir()):
        if path.is_file() and path.name != FILE:
            _copy(path, folder / path.name)
    write_text(folder / FILE, text.replace(declared[0], f'panel = "{Path(declared[1]).name}"'))
    return Started(folder / FILE, ())


def examples() -> dict[str, Path]:
    """Studies that travel with the package, by name."""
    folder = shipped("examples", "models")
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{FILE}"))}


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", place=str(target), fix="Check rights") from None


def _check_free(folder: Path, force: bool) -> None:
    if (folder / FILE).exists() and not force:
        raise OutputError(
            "there is a study here already", place=str(folder), fix="Choose another folder, or say --force"
        )


def _first_that_passes(texts: Sequence[str], folder: Path, panel: Path) -> str:
    """The first text that is a study which `check` accepts; the error of the last where none is."""
    with tempfile.TemporaryDirectory() as scratch:
        for text in texts:
            path = Path(scratch) / FILE
            declared = re.sub(r"^panel = .*$", lambda _: f"panel = {_quoted(str(panel.resolve()))}", text, flags=re.M)
            path.write_text(declared, encoding="utf-8")
            try:
                check_study(load_study(path))
                return text
            except BayesNppError as error:
                failed = error
    raise type(failed)(failed.problem, place=str(panel), fix=failed.fix)


def _models(group: str | None, n_units: int) -> list[str]:
    """Tables of hierarchical models, from the richest on; the last is none."""
    many = f"with {n_units} units it takes long."
    if group is None:
        head = '[[model]]\nname = "hierarchical"\nkind = "hierarchical"\npriors = "weakly_informative"'
        if n_units <= MANY_UNITS:
            return [*(f'{head}\nerrors = "{errors}"' for errors in ERRORS), ""]
        head += f'\n# errors = "{ERRORS[0]}" gives every unit a scale of its own: {many}'
        return [*(f'{head}\nerrors = "{errors}"' for errors in ERRORS[1:]), ""]
    head = f'[[model]]\nname = "hierarchical"\nkind = "hierarchical"\nslopes = {_quoted(group)}\n'
    head += 'priors = "weakly_informative"'
    if n_units > MANY_UNITS:
        head += f"\n# ladder = true tries errors that give every unit a scale of its own: {many}"
        return [*(f'{head}\nladder = false\nerrors = "{errors}"' for errors in ERRORS[1:]), ""]
    return [
        f"{head}\n# Errors from the simplest to the richest, and every way to pool, are tried beside it.",
        f"{head}\nladder = false",
        "",
    ]


def _study_text(
    panel: str, found: Guess, read: Panel, roles: dict[str, str | None], controls: Sequence[str], model: str
) -> str:
    """The study file."""
    others = [name for name in found.variables if name not in (roles["outcome"], roles["exposure"], *controls)]
    known = ", ".join(others[:MOST_NAMED]) + (", ..." if len(others) > MOST_NAMED else "")
    label = read.calendar.label
    span = [label(value) for value in (read.frame[found.time].min(), read.frame[found.time].max())]
    window = ", ".join(span if not read.calendar.frequency else map(_quoted, span))
    header = {
        "title": f"{roles['exposure']} and {roles['outcome']}",
        "panel": Path(panel).as_posix(),
        "unit": found.unit,
        "time": found.time,
        "group": found.group,
        "period": found.period,
        "encoding": None if found.encoding == "utf-8" else found.encoding,
    }
    lines = [
        f"# Written by bayes-npp new from {Path(panel).name}: {read.balance()}.",
        "# Every key, with its default and an example: docs/study.md, or bayes-npp schema.",
        "",
        "[study]",
        *(f"{name} = {_quoted(value)}" for name, value in header.items() if value is not None),
        *([f"step = {found.step}  # periods from one row of a unit to the next"] if found.step else []),
        *([] if found.group else ['# group = "..."  # a column that is constant in units: slopes by group']),
        f"# window = [{window}]  # first and last period of the estimates; earlier rows serve lags",
        '# missing = ["NA", -99]  # cells that are blank',
        '# published = "published.csv"  # the numbers of a paper, as printed',
        "",
        "[roles]",
        f"outcome = {_quoted(roles['outcome'])}",
        f"exposure = {_quoted(roles['exposure'])}",
        f"controls = [{', '.join(map(_quoted, controls))}]",
        *([f"# other columns that vary: {known}"] if known else []),
        "",
        "# Derived columns, such as",
        "# [[variable]]",
        '# name = "ln_x"',
        '# log = "x"',
        "",
        "[[model]]",
        'name = "twfe"',
        'kind = "twfe"',
        'covariance = "clustered"',
        "",
    ]
    if found.group:
        lines += ["[[model]]", 'name = "by_group"', 'kind = "twfe"', f"slopes = {_quoted(found.group)}", ""]
    if model:
        lines += [model, ""]
        lines += [
            "[[claim]]",
            'id = "H1"',
            f"text = {_quoted('More ' + str(roles['exposure']) + ' goes with more ' + str(roles['outcome']) + '.')}",
            'proposition = "average_slope_twfe_weighted > 0"',
            'model = "hierarchical"',
            "# smallest_effect = 0.1  # the smallest slope that would matter, in the data's units",
            "",
        ]
    lines += [
        "# The same models on altered data, such as",
        "# [[robustness]]",
        '# name = "winsorised"',
        "# winsorise = 0.01",
        "",
    ]
    return "\n".join(lines)


def _quoted(text: object) -> str:
    """A text as a TOML string."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
