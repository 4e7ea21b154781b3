"""The audit as a page: what stands where, for HTML and Markdown alike."""

from itertools import groupby

from bayes_npp.auditing.figures import difference_figures, posterior_figure
from bayes_npp.auditing.record import Audit
from bayes_npp.auditing.tables import (
    difference_table,
    long_run_table,
    posterior_table,
    printed_table,
    reverse_table,
    risk_table,
)
from bayes_npp.reporting.base.blocks import Block, Finding, Findings, Page, Paragraph, Part
from bayes_npp.reporting.base.cells import Table


def audit_page(audit: Audit) -> Page:
    """The page of an audit; a part without rows is left out."""
    one_by_one = _with_rows(reverse_table(audit), posterior_table(audit), risk_table(audit))
    parts = (
        Part("", (*_findings(audit), *difference_figures(audit))),
        Part("What is printed", _with_rows(printed_table(audit))),
        Part("One coefficient at a time", (*posterior_figure(audit), *one_by_one)),
        Part("Differences between subsamples", _with_rows(difference_table(audit))),
        Part("Long run", _with_rows(long_run_table(audit))),
        Part("What an audit can and cannot say", LIMITS),
    )
    subtitle = f"{audit.source}: what was printed, re-analysed without the data behind it."
    return Page("Audit of published numbers", subtitle, tuple(part for part in parts if part.blocks))


def _findings(audit: Audit) -> list[Findings]:
    groups = groupby(audit.sentences, key=lambda sentence: sentence.about)
    return [Findings(about, tuple(Finding(own.status, own.text) for own in found)) for about, found in groups]


def _with_rows(*tables: Table) -> tuple[Block, ...]:
    return tuple(table for table in tables if len(table.frame))


LIMITS = (
    Paragraph(
        "Every number here follows from what the paper prints, taken at its word: its coefficients and standard "
        "errors, normal estimates, and no other error than the one the standard errors measure. It checks no data, no "
        "index and no error model. Every coefficient is an association in the paper's own regression."
    ),
    Paragraph("Numbers are in `tables/`, figures and what they are drawn from in `figures/`.", note=True),
)
