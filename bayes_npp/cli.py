"""The command line. Heavy libraries are imported inside the commands that need them."""

import math
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bayes_npp import __version__
from bayes_npp.commands.collecting import seldom_collected
from bayes_npp.commands.interrupts import SIGNALLED, listening
from bayes_npp.commands.speaking import FAILED_DIAGNOSTICS, end, named, note, progress, say, say_fits, speaking
from bayes_npp.commands.starting import STARTING
from bayes_npp.errors import BayesNppError, CacheWarning

if TYPE_CHECKING:
    from bayes_npp.study.study import Study

DEFAULT_STUDY = Path("models/digital_trade")


class Commands(click.Group):
    """Show commands in the order in which one uses them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bayes-npp")
def cli() -> None:
    """Re-analyse a panel study: frequentist baseline and Bayesian hierarchical models side by side.

    STUDY is a folder with a study.toml, or the file itself; without it, models/digital_trade under the current folder.

    Exit codes: 0 done, 2 bad input, 3 done but a fit failed its diagnostics, 4 could not write, 130 interrupted, 143
    terminated (run again to go on).
    """


for _command in STARTING:
    cli.add_command(_command)


def _study_path(study: Path | None) -> Path:
    if study is not None:
        return study
    if not (DEFAULT_STUDY / "study.toml").is_file():
        raise BayesNppError("no study given, and there is no models/digital_trade here", fix="Give a study's folder")
    return DEFAULT_STUDY


LANGUAGES = ("en", "zh", "both")
_language = click.option(
    "--lang", "language", type=click.Choice(LANGUAGES), help="Language of the report: en, zh, or both with a switch."
)


def _warn(study: "Study") -> None:
    from bayes_npp.study.notices import study_notices

    for notice in study_notices(study):
        say(f"warning: {notice}")


def _check_folder(folder: Path, ours: tuple[str, ...], force: bool) -> None:
    """Raise where a folder holds files and none that an earlier run wrote, unless it is forced."""
    try:
        names = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:  # there is none, or it is no folder: whoever writes says so
        return
    if names and not force and not set(names) & set(ours):
        raise BayesNppError(
            f"the output folder holds other files ('{min(names)}') and no earlier run",
            place=str(folder),
            fix="Choose another --out, or say --force to write beside them",
        )


@cli.command()
@click.argument("study", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the outputs; default out/<study>.")
@click.option("--quick", is_flag=True, help="The same outputs from fewer posterior draws.")
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Overrides the study's seed.")
@click.option("--refit", is_flag=True, help="Sample again even where the outputs hold the same fit.")
@click.option("--force", is_flag=True, help="Write into a folder that holds other files too.")
@_language
@speaking
def run(
    study: Path | None,
    out: Path | None,
    quick: bool,
    seed: int | None,
    refit: bool,
    force: bool,
    language: str | None,
) -> None:
    """Estimate every model of STUDY and write the report."""
    from bayes_npp.study.checks import check_study
    from bayes_npp.study.study import load_study

    loaded = load_study(_study_path(study))
    folder = out or Path("out") / loaded.name
    _check_folder(folder, ("manifest.json", "fits"), force)
    check_study(loaded)  # before the slow imports: a typo should not cost ten seconds
    note(f"{loaded.header.title}: {len(loaded.models)} models")
    from bayes_npp.pipeline import run_study
    from bayes_npp.reporting.report import last_words
    from bayes_npp.reporting.tables.summary import claim_lines

    own = language or LANGUAGES[0]

    with progress() as steps:
        result = run_study(loaded, folder, quick=quick, seed=seed, refit=refit, progress=steps, language=own)
    told = last_words(result, own)
    say_fits((*result.fits, *(fit for mechanism in result.mechanisms for fit in mechanism.fits)), told)
    for line in claim_lines(result):
        note(named(line, told))
    click.echo(str(folder / "report.html"))
    end(result.failures, told)


@cli.command()
@click.argument("study", type=click.Path(path_type=Path), required=False)
def check(study: Path | None) -> None:
    """Validate the panel, specification, priors and published numbers of STUDY; estimate nothing."""
    from bayes_npp.study.checks import check_study
    from bayes_npp.study.study import load_study

    for line in check_study(load_study(_study_path(study))):
        click.echo(line)


@cli.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("model")
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Overrides the study's seed.")
@click.option("--quick", is_flag=True, help="Fewer posterior draws.")
@speaking
def fit(study: Path, model: str, seed: int | None, quick: bool) -> None:
    """Estimate one MODEL of STUDY and print its estimates as CSV."""
    from bayes_npp.study.checks import check_study
    from bayes_npp.study.study import load_study

    loaded = load_study(study)
    chosen = loaded.model(model)
    check_study(loaded)
    _warn(loaded)
    from bayes_npp.analysis.estimation import estimate_model
    from bayes_npp.analysis.settings import run_settings

    found = estimate_model(loaded.sample, chosen, run_settings(loaded, quick=quick, seed=seed, refit=True, say=note))
    click.echo(found.table.frame.to_csv(index=False, float_format="%.10g", lineterminator="\n"), nl=False)
    say_fits(found.fits)
    if not all(record.diagnostics.passed for record in found.fits):
        sys.exit(FAILED_DIAGNOSTICS)


@cli.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("model")
@click.option(
    "--claim", "propositions", multiple=True, help="Such as 'average_slope > 0'; default: the study's claims."
)
@click.option("--grid", default=None, help="A named grid of priors or a .toml file; default: the study's.")
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Overrides the study's seed.")
@click.option("--quick", is_flag=True, help="Fewer cells of the grid and points of curves.")
@speaking
def sensitivity(
    study: Path, model: str, propositions: tuple[str, ...], grid: str | None, seed: int | None, quick: bool
) -> None:
    """Ask claims about a hierarchical MODEL of STUDY again under other priors, with the errors of a run; print CSV."""
    from bayes_npp.errors import SpecError
    from bayes_npp.study.checks import check_study
    from bayes_npp.study.models import HierarchicalModel
    from bayes_npp.study.study import load_study

    loaded = load_study(study)
    chosen = loaded.model(model)
    if not isinstance(chosen, HierarchicalModel):
        raise SpecError(f"model '{model}' has kind '{chosen.kind}'", fix="Name a hierarchical model")
    check_study(loaded)
    _warn(loaded)
    asked = propositions or tuple(claim.proposition for claim in loaded.claims if claim.model == model)
    if not asked:
        raise SpecError(f"the study declares no claim about '{model}'", fix="Give one: --claim 'average_slope > 0'")
    from bayes_npp.analysis.ladder import fit_behind_verdicts
    from bayes_npp.analysis.settings import run_settings
    from bayes_npp.bayesian.priors.grid import load_grid
    from bayes_npp.bayesian.sensitivity.sensitivity import sensitivity as under_other_priors

    own_grid = load_grid(grid) if grid else load_grid(loaded.claim_rules.grid, loaded.path.parent)
    settings = run_settings(loaded, quick=quick, seed=seed, say=note)
    fitted = fit_behind_verdicts(loaded.sample, chosen, settings)
    found = under_other_priors(fitted, asked, own_grid, seed=settings.seed, quick=quick)
    click.echo(found.rows().to_csv(index=False, float_format="%.10g", lineterminator="\n"), nl=False)
    note(f"{model}: {fitted.spec.errors} errors, {fitted.verdict}")
    note("\n".join(map(found.span, found.propositions)))
    if not fitted.diagnostics.passed:
        sys.exit(FAILED_DIAGNOSTICS)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_language
@speaking
def report(folder: Path, language: str | None) -> None:
    """Write report, tables and figures of the run in FOLDER again, from its stored fits.

    Without --lang in the language of the run.
    """
    from bayes_npp.reporting.base.shared import WRITERS, second_process

    with second_process(*WRITERS), seldom_collected(), progress() as steps:
        from bayes_npp.pipeline import language_of, rerender
        from bayes_npp.reporting.report import last_words

        result = rerender(folder, steps, language)
    click.echo(str(folder / "report.html"))
    end(result.failures, last_words(result, language_of(folder)))


@cli.command()
@click.argument("folders", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--estimand", help="Keep only this estimand, such as group_slope.")
@click.option("--out", type=click.Path(path_type=Path), help="Also a page (.html): claims run by run, what differs.")
@click.option("--force", is_flag=True, help="Write over an existing page.")
@_language
def compare(
    folders: tuple[Path, ...], estimand: str | None, out: Path | None, force: bool, language: str | None
) -> None:
    """Print the estimates of several output FOLDERS side by side, like with like."""
    from bayes_npp.analysis.comparison import compare as side_by_side
    from bayes_npp.errors import EstimatesError
    from bayes_npp.estimates import read_csv
    from bayes_npp.store import VERIFIED, checked_csv

    if out is not None and out.suffix != ".html":
        raise BayesNppError(f"--out {out} is no .html file", fix="Name a file, such as comparison.html")
    if out is not None and out.exists() and not force:
        raise BayesNppError("the file exists", place=str(out), fix="Choose another name, or say --force")
    tables = []
    for folder in folders:
        path = folder / "estimates.csv"
        if not path.is_file():
            raise EstimatesError("there are no estimates here", place=str(folder), fix="Give the --out folder of a run")
        verdict = checked_csv(path)
        if verdict != VERIFIED:
            say(f"warning: {path} is {verdict}")
        table = read_csv(path)
        if len(folders) > 1:
            table.frame["study"] = str(folder)
        tables.append(table)
    wide = side_by_side(tables, estimand)
    click.echo(wide.to_csv(float_format="%.6g", lineterminator="\n"), nl=False)
    if out is not None:
        from bayes_npp.reporting.run_comparison import write_comparison

        for doubt in write_comparison(folders, out, language or LANGUAGES[0]):
            say(f"warning: {doubt}")
        say(f"written: {out}")


@cli.command()
@click.argument("published", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write audit.html, audit.md, tables and figures here.")
@click.option("--cap", type=float, help="Most that one unknown standard error may be of the other; default 5.")
@click.option("--sceptic", "sceptics", multiple=True, type=float, help="P(effect beyond the printed one), repeatable.")
@click.option("--prior-sd", "prior_sds", multiple=True, type=float, help="Sceptical prior by its SD; repeatable.")
@click.option("--share", "shares", multiple=True, type=float, help="True effect / printed one; repeatable.")
@click.option("--alpha", type=float, help="Level of the tests behind type S and type M; default 0.05.")
@click.option(
    "--star", "stars", multiple=True, type=float, help="Levels of *, **, ...; repeatable. Default .1 .05 .01."
)
@click.option("--claim", "claims", multiple=True, help="Compare subsamples of this claim only; repeatable.")
@click.option(
    "--reference", type=click.Choice(["auto", "normal"]), help="auto: t(n_units - 1) where units are printed."
)
@click.option("--force", is_flag=True, help="Write into a folder that holds other files too.")
@_language
def audit(published: Path, out: Path | None, force: bool, language: str | None, **declared: Any) -> None:
    """Re-analyse the printed numbers of PUBLISHED (a published.csv) without the data behind them.

    Options marked repeatable replace their defaults: --sceptic 0.16 0.05 0.01, --share 0.1 0.25 0.5 0.75 1.
    """
    from bayes_npp.auditing.run import audit as audit_published

    if out is not None:
        _check_folder(out, ("audit.md", "manifest.json"), force)
    options = {name: value for name, value in declared.items() if value not in (None, ())}
    found = audit_published(published, out=out, language=language or LANGUAGES[0], **options)
    for sentence in found.said:
        click.echo(f"- {sentence}")
    if out is not None:
        click.echo(str(out / "audit.html"))


@cli.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--units", default=30, show_default=True, type=click.IntRange(min=2), help="Number of units.")
@click.option("--periods", default=9, show_default=True, type=click.IntRange(min=2), help="Number of periods.")
@click.option("--slope", "slopes", multiple=True, help="GROUP=VALUE, once a group.", metavar="GROUP=VALUE")
@click.option("--missing", default=0.0, show_default=True, type=float, help="Share of rows left out at random.")
@click.option("--autocorrelation", default=0.0, show_default=True, type=float, help="Of AR(1) errors within units.")
@click.option("--unit-scale-sd", default=0.0, show_default=True, type=float, help="SD of the logs of units' error SDs.")
@click.option("--unit-slope-sd", default=0.0, show_default=True, type=float, help="SD of units' slopes in their group.")
@click.option("--degrees", default=None, type=float, help="Degrees of freedom of Student-t errors.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0, max=2**63 - 1))
@click.option("--force", is_flag=True, help="Write over existing files.")
def simulate(
    out: Path, units: int, periods: int, slopes: tuple[str, ...], missing: float, force: bool, **more: Any
) -> None:
    """Write a simulated panel with known truth to OUT (a .csv; the truth goes beside it as .truth.json)."""
    from bayes_npp.errors import SpecError
    from bayes_npp.panels.simulation import simulate as draw
    from bayes_npp.store import write_json, write_text

    by_group = {}
    for text in slopes:
        label, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not label or label in by_group or not math.isfinite(number):
            raise SpecError(f"--slope {text} is not GROUP=VALUE", fix="Write --slope East=0.5, once a group") from None
        by_group[label] = number
    truth = out.with_suffix(".truth.json")
    there = [path for path in (out, truth) if path.is_file()]
    if there and not force:
        raise BayesNppError("the file exists", place=str(there[0]), fix="Choose another name, or say --force")
    simulation = draw(units, periods, by_group or None, missing=missing, **more)
    write_text(out, simulation.frame.to_csv(index=False, lineterminator="\n"))
    write_json(truth, simulation.truth)
    click.echo(str(out))


def main() -> NoReturn:
    """Run the command line: a known error is one line and its exit code, never a traceback."""
    with listening() as received, warnings.catch_warnings():
        warnings.simplefilter("always", CacheWarning)
        warnings.showwarning = _show_warning(warnings.showwarning)
        try:
            code = _exit_code()
        except BaseException as error:
            # Where modules load, an interrupt may come back as another error of theirs.
            if not received and not isinstance(error, KeyboardInterrupt):
                raise
            received = received or [signal.SIGINT]
        if received:
            click.echo("interrupted: finished fits are kept, run again to go on", err=True)
            code = SIGNALLED + received[0]
    sys.exit(code)


def _show_warning(others: Callable[..., None]) -> Callable[..., None]:
    """Our own word about compiled code as one line, and those of others as they are."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, CacheWarning):
            say(f"warning: {message}")
        else:
            others(message, category, *place, **more)

    return show


def _exit_code() -> int:
    """Run the command that was given."""
    try:
        cli.main(standalone_mode=False)
    except BayesNppError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except SystemExit as end:
        return int(end.code or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as abort:  # click's word for an interrupt, and for the end of a file
        raise abort.__cause__ or KeyboardInterrupt from None
    return 0
