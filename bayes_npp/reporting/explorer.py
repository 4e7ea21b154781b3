"""The prior explorer of the page: claims about slopes under priors that a reader states, answered by its own script.

The script integrates the slopes out of every stored draw (`claims.explorer`); here its data are packed. A number is
kept in 16 bits between the smallest and the largest of its column: a step of 1/65535 of the range, while the weights of
500 draws have Monte Carlo errors of some percent, so that more digits would say nothing.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import numpy as np

from bayes_npp.claims.explorer import FAMILIES, Explored, Preset, Stored
from bayes_npp.reporting.base.blocks import Widget
from bayes_npp.reporting.base.rendering import widget_markup
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import errors_word, model_word, sentence, unit_word, variable_word
from bayes_npp.reporting.tables.prior_rows import prior_rows_table

STEPS = 65535
SPOKEN = ("words", "text", "label", "title", "values", "reasons")  # keys of a widget's data that hold texts
CHOICES = ("errors", "measure", "sample", "named")  # and names of choices, each with its label where that differs
WORDS = {
    "no_script": "This page answers further priors where its script may run. The rows below were computed with it.",
    "form": "Your prior",
    "claim_label": "Claim",
    "errors_label": "Errors",
    "preset_label": "Start from",
    "own": "your own",
    "average_legend": "Average slope, a normal prior",
    "centre_label": "Centre",
    "scale_label": "Standard deviation",
    "differences_legend": "How much groups differ, a prior of the standard deviation of their slopes",
    "family_label": "Family",
    "spread_label": "Scale",
    "nu_label": "Degrees of freedom",
    "half_normal": "half-normal",
    "half_student_t": "half-t",
    "half_cauchy": "half-Cauchy",
    "exponential": "exponential",
    "numbers_label": "The answer in full",
    "probability": "Probability of the claim",
    "mcse": "Monte Carlo error",
    "mean": "posterior mean",
    "lo": "95 % interval from",
    "hi": "to",
    "k": "Pareto k",
    "effective": "draws that count",
    "answer": "Under this prior the claim '{claim}' has probability {probability} (Monte Carlo error {mcse}). What it "
    "compares has posterior mean {mean}, 95 % interval {lo} to {hi}.",
    "curve": "Posterior density, the side of the claim shaded; the prior dashed. {text}",
    "bad_centre": "Give the centre of the average slope as a number.",
    "bad_scale": "Give the standard deviation of the average slope as a number above zero.",
    "bad_spread": "Give the scale of the groups' differences as a number above zero.",
    "bad_nu": "Give the degrees of freedom as a number above zero.",
    "failed": "Withheld: the sampler of this fit failed its diagnostics.",
    "bad_k": "Withheld: the stored draws do not reach this prior (Pareto k {k}, above 0.7). It takes a run of its own.",
    "few": "Withheld: only {effective} of the stored draws count under this prior, and at least {least} are needed. It "
    "takes a run of its own.",
}


def explorer(result: Result) -> Widget | None:
    """The explorer of every model whose slopes a page can integrate out; None where no claim is about slopes."""
    models = [own for own in result.explored if own.fits]
    table = prior_rows_table(result)
    if not models or table is None:
        return None
    data = {"words": WORDS, "models": [_model(own, result) for own in models]}
    notes = _notes(result, models)

    def markup(say: Callable[[str], str]) -> str:
        words, told, own = said(WORDS, say, "words"), [say(note) for note in notes], said(data, say)
        script = inlined("explorer.js")
        return widget_markup("explorer.html.jinja", words=words, notes=told, data=embedded(own), script=script)

    return Widget("explorer", markup(str), table, markup)


def said(data: Any, say: Callable[[str], str], key: str = "") -> Any:
    """Data of a widget with every text that a reader sees as a function says it; `key` is where the data stand."""
    if isinstance(data, dict):
        return {name: said(own, say, key if key == "words" else name) for name, own in data.items()}
    if isinstance(data, list):
        if key in CHOICES:
            return [_choice(own, say) for own in data]
        return [said(own, say, key) for own in data]
    return say(data) if isinstance(data, str) and key in SPOKEN else data


def _choice(own: str | list[str], say: Callable[[str], str]) -> str | list[str]:
    """The name of a choice and its label, or the name alone where they are the same."""
    name, label = (own, own) if isinstance(own, str) else own
    shown = say(label)
    return name if name == shown else [name, shown]


def inlined(name: str) -> str:
    """A script of the templates without comments and indentation."""
    text = (files("bayes_npp.reporting") / "templates" / name).read_text(encoding="utf-8")
    return re.sub(r"^\s+|\s+// .*$|^// .*$", "", text, flags=re.MULTILINE)


def embedded(data: object) -> str:
    """JSON that no text of it can end early."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _model(own: Explored, result: Result) -> dict[str, Any]:
    claims = [
        {
            "id": record.claim.id,
            "text": record.claim.text,
            "weights": [float(f"{value:.9g}") for value in weights],
            "cutoff": float(record.claim.parsed.threshold),
            "sign": int(record.claim.parsed.sign),
        }
        for record, weights in own.claims
    ]
    fits = [_fit(fit, own, result) for fit in own.fits]
    return {"unit": own.unit, "claims": claims, "fits": fits, "presets": [_preset(one) for one in own.presets]}


def _fit(fit: Stored, own: Explored, result: Result) -> dict[str, Any]:
    label = sentence(errors_word(result.study, fit.errors))
    behind = fit.errors == own.behind
    said = ["behind the verdicts"] if behind else []
    said += [] if fit.errors_fit else ["fails its checks"]
    low, step, text = packed(fit)
    return {
        "label": f"{label} ({', '.join(said)})" if said else label,
        "behind": behind,
        "passed": fit.passed,
        "efficiency": round(fit.efficiency, 6),
        "draws": len(fit.own),
        "size": fit.linear.shape[1],
        "low": low,
        "step": step,
        "data": text,
    }


def packed(fit: Stored) -> tuple[list[float], list[float], str]:
    """Smallest value and step of every column, and the columns one after another, 16 bits a number, in base64.

    Columns: the precision's upper triangle row by row, the linear term, the log likelihood under the fit's own priors.
    """
    upper = np.triu_indices(fit.linear.shape[1])
    columns = np.column_stack([fit.precision[:, *upper], fit.linear, fit.own - fit.own.max()])
    low = columns.min(axis=0)
    step = np.ptp(columns, axis=0) / STEPS
    steps = np.rint((columns - low) / np.where(step > 0, step, 1.0)).astype("<u2")
    return low.tolist(), step.tolist(), b64encode(steps.T.tobytes()).decode("ascii")


def _preset(one: Preset) -> dict[str, Any]:
    out: dict[str, Any] = {"label": one.name, "centre": one.centre, "scale": one.scale}
    if one.differences is not None:
        own = one.differences.parameters
        assert one.differences.family in FAMILIES
        out |= {"family": one.differences.family, "spread": own.get("sigma", own.get("scale"))}
        out |= {"nu": own["nu"]} if "nu" in own else {}
    return out


def _notes(result: Result, models: list[Explored]) -> list[str]:
    """What is not varied, what the numbers are in, and which models are not here."""
    study = result.study
    exposure = variable_word(study, study.roles.exposure, unit=False)
    outcome = variable_word(study, study.roles.outcome, unit=False)
    notes = [
        f"Slopes are in units of {outcome} for one unit of {exposure}. The slopes are integrated exactly under "
        f"your prior, and {models[0].fits[0].own.size} stored draws of everything else are weighted to it. Where few "
        "of them count, or Pareto k is above 0.7, there is no answer.",
        f"Not varied: the priors of controls, of effects by {unit_word(study)} and period and of errors, the measures "
        "and the sample. A slope is an association given controls and effects, whatever its prior.",
    ]
    for own in result.explored:
        if own.why_not:
            notes.append(f"The {model_word(study, own.model)} is not here: {own.why_not}.")
    records = result.ledger.records if result.ledger is not None else ()
    if any(record.claim.parsed.is_mechanism for record in records):
        notes.append("Claims about mechanisms are products of two slopes and are not here: their computed rows follow.")
    return notes
