"""`audit`: re-analyse what a paper printed, without its data, and write what was found."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bayes_npp.analysis.comparison import CLEAR
from bayes_npp.auditing.differences import curve_frame, subsample_differences
from bayes_npp.auditing.long_run import long_run_frame, long_runs
from bayes_npp.auditing.page import audit_page
from bayes_npp.auditing.printed import printed_rows
from bayes_npp.auditing.record import Audit, AuditOptions, Sentence
from bayes_npp.auditing.rows import posterior_frame, reverse_frame, risk_frame, row_frame
from bayes_npp.auditing.sentences import sentences
from bayes_npp.auditing.significance import STARS
from bayes_npp.errors import OutputError, SpecError, nearest
from bayes_npp.reporting.base.bilingual import in_one_page
from bayes_npp.reporting.base.catalogue import ENGLISH, spoken
from bayes_npp.reporting.base.rendering import render_page
from bayes_npp.reporting.base.translation import said_in
from bayes_npp.reporting.base.wording import Wording
from bayes_npp.reporting.figures.drawing import draw_page
from bayes_npp.store import write_text
from bayes_npp.study.published import check_published, read_published

FRAME = "a DataFrame"


def audit(
    published: str | Path | pd.DataFrame,
    *,
    out: str | Path | None = None,
    cap: float = 5.0,
    sceptics: Sequence[float] = (0.16, 0.05, 0.01),
    prior_sds: Sequence[float] = (),
    shares: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 1.0),
    alpha: float = 0.05,
    stars: Sequence[float] = STARS,
    reference: str = "auto",
    claims: Sequence[str] | None = None,
    language: str = ENGLISH,
) -> Audit:
    """Re-analyse published numbers without the data behind them.

    Of each printed coefficient: the standard errors that print allows, its posterior under sceptical priors, how
    sceptical a prior ends its credibility, type S and type M risks. Of subsamples of one claim: P(one exceeds the
    other) over the unknown standard errors. Of dynamic models: the long run. Estimates are taken as normal; printed
    numbers that contradict each other are reported, not repaired.

    Parameters
    ----------
    published : path or DataFrame
        A published.csv, or its columns; a DataFrame of numbers counts its decimals as printed.
    out : path, optional
        Folder of audit.html, audit.md, tables/audit_*.csv and figures/audit_*; each file is replaced whole, and
        nothing is touched if the input is bad.
    cap : float
        Most that one unknown standard error of a pair may be of the other: a declaration.
    sceptics : sequence of float
        Sceptical priors, each by the probability it gives an effect beyond the printed one.
    prior_sds : sequence of float
        Further sceptical priors by their SD, in the data's units.
    shares : sequence of float
        Plausible true effects as shares of the printed one.
    alpha : float
        Level of the tests behind type S and type M.
    stars : sequence of float
        Levels of one, two, ... stars, falling.
    reference : str
        Behind p-values and significance. `auto`: Student's t with n_units - 1 degrees of freedom where n_units is
        printed, normal elsewhere; `normal`: normal everywhere.
    claims : sequence of str, optional
        Compare subsamples of these claims only.
    language : str
        Of pages, figures and `said`: "en", "zh", or "both" on one page (then audit.zh.md and figures/zh, too).

    Returns
    -------
    Audit
        `sentences` holds the audit in words, `said` the same as lines in its language.

    Raises
    ------
    SpecError
        No such file, a column missing or unknown, a number or significance that cannot be read (file, row, column), an
        option out of its range.
    OutputError
        `out` cannot be written.
    """
    languages = spoken(language)
    chosen = AuditOptions(
        cap=cap,
        sceptics=tuple(sceptics),
        prior_sds=tuple(prior_sds),
        shares=tuple(shares),
        alpha=alpha,
        stars=tuple(stars),
        reference=reference,
        claims=None if claims is None else tuple(claims),
    )
    frame, source, place = _read(published)
    rows = printed_rows(frame, place, chosen.stars, chosen.reference)
    claims = list(dict.fromkeys(row.labels["claim"] for row in rows))
    for claim in chosen.claims or ():
        if claim not in claims:
            raise SpecError(f"no row has the claim '{claim}'", place=place, fix=nearest(claim, claims))
    differences = subsample_differences(rows, chosen.cap, CLEAR, chosen.claims)
    found = Audit(
        source=source,
        options=chosen,
        rows=rows,
        row_frame=row_frame(rows),
        reverse=reverse_frame(rows),
        posteriors=posterior_frame(rows, chosen.sceptics, chosen.prior_sds),
        risks=risk_frame(rows, chosen.shares, chosen.alpha),
        differences=differences,
        curve=curve_frame(differences),
        long_runs=long_runs(rows),
    )
    told = sentences(found)
    found = replace(found, sentences=told, said=_lines(told, said_in(languages[0])))
    if out is not None:
        write_audit(found, Path(out), language)
    return found


def _lines(told: Sequence[Sentence], say: Wording) -> tuple[str, ...]:
    return tuple(say(str(sentence)) for sentence in told)


def write_audit(found: Audit, folder: Path, language: str = ENGLISH) -> None:
    """Write pages, tables and figures of an audit into a folder, in a language or in both.

    Raises
    ------
    OutputError
        The folder is a file, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError("the output folder is a file", place=str(folder), fix="Choose another --out")
    frames = {
        "printed": found.row_frame,
        "reverse_bayes": found.reverse,
        "posteriors": found.posteriors,
        "differences": found.difference_frame,
        "difference_curve": found.curve,
        "type_s_m": found.risks,
        "long_run": long_run_frame(found.long_runs),
    }
    for name, frame in frames.items():
        if len(frame):
            text = frame.to_csv(index=False, float_format="%.10g", lineterminator="\n")
            write_text(folder / "tables" / f"audit_{name}.csv", text)
    page = audit_page(found)
    pages: dict[str, str] = {}
    for own in spoken(language):
        beside = own if pages else ""  # the second language
        say, figures = said_in(own), f"figures/{beside}" if beside else "figures"
        drawings = draw_page(page, folder / figures, say)
        pages[own], markdown = render_page(page, drawings, say, own, figures)
        write_text(folder / f"audit.{f'{beside}.' if beside else ''}md", markdown)
    write_text(folder / "audit.html", in_one_page(pages))


def _read(published: str | Path | pd.DataFrame) -> tuple[pd.DataFrame, str, str]:
    """The table as printed text, its name for the report and its place for messages."""
    if isinstance(published, pd.DataFrame):
        text = published.astype(object).where(published.notna(), "").map(str).reset_index(drop=True)
        frame, name, place = check_published(text, FRAME), FRAME, FRAME
    else:
        path = Path(published)
        frame, place = read_published(path), str(path)
        name = f"{path.resolve().parent.name}/{path.name}"
    if frame.empty:
        raise SpecError("there is a header and no row", place=place, fix="Write one row a printed coefficient")
    return frame, name, place
