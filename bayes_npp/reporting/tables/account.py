"""How it was done: the estimating equation in the study's names, the rule of verdicts, and the reporting checklist."""

from bayes_npp.claims.verdicts import rule_in_words
from bayes_npp.reporting.base.blocks import Bullets, Paragraph
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import listed, unit_word, variable_word, whose
from bayes_npp.study.models import HierarchicalModel


def equation(result: Result) -> list[Paragraph]:
    """The regression that every static model estimates, in the study's own names."""
    study, roles = result.study, result.study.roles
    time = study.header.time
    controls = "".join(f" + c{n} {name}[i, t]" for n, name in enumerate(roles.controls, start=1))
    grouped = next((m.slopes for m in study.models if isinstance(m, HierarchicalModel) and m.slopes), None)
    slope = f"b[{grouped}(i)]" if grouped else "b"
    text = f"`{roles.outcome}[i, t] = a[i] + d[t] + {slope} {roles.exposure}[i, t]{controls} + e[i, t]`"
    where = [
        f"{unit_word(study)} i, {time.replace('_', ' ')} t",
    ]
    where += [
        f"`{name}`: {variable_word(study, name)}"
        for name in (roles.outcome, roles.exposure, *roles.controls)
        if variable_word(study, name) != name.replace("_", " ")
    ]
    out = [Paragraph(text), Paragraph("; ".join(where) + ".", note=True)]
    if any(isinstance(model, HierarchicalModel) for model in study.models):
        shared = (
            "The hierarchical model pools them partially, lets the slopes of groups share a prior, and adds every "
            "column's unit and period parts (correlated effects), so that with flat priors and independent errors of "
            "one scale it gives the same slope."
            if grouped
            else "The hierarchical model pools them partially, and adds every column's unit and period parts "
            "(correlated effects), so that with flat priors and independent errors of one scale it gives the same "
            "slope."
        )
        out.append(Paragraph(" ".join(("Two-way fixed effects leave a and d free.", shared))))
    return out


def rules(result: Result) -> Bullets | None:
    """The rules that turn numbers into words."""
    items = list(dict.fromkeys(ladder.errors.rule for ladder in result.ladders))
    if result.ledger is not None:
        items.append(rule_in_words(result.ledger.rules.support, result.ledger.rules.contradict))
    return Bullets(tuple(items)) if items else None


def barg_table(result: Result) -> Table | None:
    """Bayesian analysis reporting guidelines, each linked to where it is done, or 'not done'; for Bayesian models."""
    import pandas as pd

    if not result.every_fit:
        return None
    fits, ledger = bool(result.fits or result.mechanisms), result.ledger is not None
    believed = "[can it be believed](#believed)"
    lines = [
        ("Preamble: why Bayesian", "[methods](#methods)", fits),
        ("Preamble: goals of the analysis", "[findings](#findings)", ledger),
        ("1.A data explained", "[the data](#data)", True),
        ("1.B likelihood and parameters", "[methods](#methods)", True),
        ("1.C priors justified", believed, fits),
        ("1.D formal specification, code", "[methods](#methods)", True),
        ("1.E prior predictive check", believed, ledger and bool(result.ledger and result.ledger.sensitivities)),
        ("2.A software and versions", "[how this was made](#made)", True),
        ("2.B convergence of chains (R-hat), or Pareto k of weights", believed, fits),
        ("2.C effective sample size", believed, fits),
        ("3.A posterior predictive check", "[why it moves](#why)" if result.ladders else believed, fits),
        ("3.B marginal summaries with intervals", "[findings](#findings)", fits),
        ("3.C Bayes factors with prior sensitivity", "[groups](#groups)", bool(result.ladders)),
        ("4.A decision rule stated", "[methods](#methods)", ledger),
        (
            "4.B limits of a decision: practical equivalence",
            "[findings](#findings)",
            bool(result.ledger and any(r.within is not None for r in result.ledger.records)),
        ),
        ("5.A sensitivity to broader and vaguer priors", believed, ledger),
        ("5.B sensitivity to other priors of theory", believed, ledger),
        ("5.C sensitivity of Bayes factors to the prior", "[groups](#groups)", bool(result.ladders)),
        ("6.A reproducible: software and files", "[how this was made](#made)", True),
        ("6.B reproducible: script", "[how this was made](#made)", True),
        ("6.C readable code and data dictionary", "[files](#made)", True),
    ]
    rows = [{"item": item, "where": where if done else "not done"} for item, where, done in lines]
    note = "Kruschke, J. K. (2021), Bayesian analysis reporting guidelines, Nature Human Behaviour 5, 1282 to 1291."
    return Table("barg", "Checklist of Bayesian reporting", pd.DataFrame(rows), (note,))


def made(result: Result) -> list[Paragraph | Bullets]:
    """The command, the seed, the versions, the files, how to cite."""
    from bayes_npp import __version__

    study = result.study
    files = [
        "[estimates.csv](estimates.csv): every estimate with its estimand, interval and convention",
        "[diagnostics.csv](diagnostics.csv): checks of samplers and of error models",
        "[tests.csv](tests.csv), [scores.csv](scores.csv): every test statistic, every measure of predictive accuracy",
        "[descriptives.csv](descriptives.csv), [weights.csv](weights.csv): the variables, the weights of indices",
        "[manifest.json](manifest.json): hashes of data and specification, versions, seeds, wall times",
        "folders tables (csv, tex, docx, html, md), figures (svg, png, csv), fits (netCDF)",
    ]
    if result.ledger is not None:
        files.insert(
            1,
            "[claims.csv](claims.csv), [choices.csv](choices.csv), [sensitivity.csv](sensitivity.csv): claims, "
            "and each under every choice tried",
        )
    if study.published is not None:
        files.append("[published.csv](published.csv): what the paper prints")
    return [
        Paragraph(
            f"Made by `bayes-npp run {study.name}` with bayes-npp `{__version__}`, seed "
            f"{study.header.seed}. The same seed, data, specification and versions give the same files."
        ),
        Bullets(tuple(files)),
        Paragraph(
            "Cite the software by its `CITATION.cff`, the data by their sources, and the paper itself."
            if whose(study) == "the paper's"
            else "Cite the software by its `CITATION.cff`, and the data by their sources."
        ),
    ]


def glossary(result: Result) -> Bullets:
    """Words of the report."""
    return Bullets(
        (
            "Slope: by how much the outcome differs where the exposure differs by one unit, given controls and "
            "effects. An association.",
            "Posterior: what the model and the data say of a slope, as a distribution; 95 % intervals are "
            "equal-tailed.",
            "P(> 0): posterior probability of a positive value. A p-value is two-sided and answers another question.",
            "Partial pooling: groups share a prior, so that a group with little data borrows from the others.",
            "Placebo: a coefficient that is zero if the assumptions hold.",
            f"Average slope: weighted as two-way fixed effects weight it, unless said otherwise. Roles: "
            f"{listed(['outcome', 'exposure', 'mediators', 'controls'])}.",
        )
    )
