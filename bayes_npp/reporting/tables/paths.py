"""Tables of mediation paths estimated by least squares."""

import pandas as pd

from bayes_npp.estimates import ESTIMANDS
from bayes_npp.reporting.base.cells import Table, interval, number, p_relation
from bayes_npp.reporting.base.result import Result
from bayes_npp.study.mediation_paths import MediationPathsModel


def path_models(result: Result) -> list[str]:
    """Names of the study's models of mediation by least squares."""
    return [model.name for model in result.study.models if isinstance(model, MediationPathsModel)]


def path_tables(result: Result) -> list[Table]:
    """One table for each model of mediation by least squares."""
    return [path_table(result, model) for model in path_models(result)]


def path_table(result: Result, model: str) -> Table:
    """Every row of a model with its standard error, interval and p-value; what is withheld says so."""
    rows = result.estimates.select(model=model)
    lines = [
        {
            "association": ESTIMANDS[row["estimand"]],
            "of": row["term"],
            "estimate": "withheld" if pd.isna(row["estimate"]) else number(row["estimate"]),
            "standard error": number(row["spread"]),
            "95 % interval": "" if pd.isna(row["lo"]) else interval(row),
            "p": "" if pd.isna(row["p_value"]) else p_relation(row["p_value"]),
        }
        for _, row in rows.iterrows()
    ]
    first = rows.iloc[0]
    counts = f"{first['n_obs']} rows, {first['n_units']} units, {first['n_periods']} periods"
    notes = [f"{first['estimator']}; outcome {first['outcome']}; standard errors {first['covariance']}; {counts}."]
    if first["sample"] != "all":
        notes.append(f"Sample: {first['sample']}.")
    for convention, some in rows[rows["convention"] != ""].groupby("convention", sort=False):
        notes.append(f"{_listed(some)}: {convention}.")
    for note, some in rows[rows["note"] != ""].groupby("note", sort=False):
        notes.append(f"{_listed(some)}: {note}.")
    notes.append(
        "To read these as effects takes, beside strict exogeneity of the exposure, that nothing left out moves a "
        "mediator and the outcome together: no data can show that."
    )
    return Table(f"paths_{model}", f"Mechanism by least squares: {model}", pd.DataFrame(lines), tuple(notes))


def _listed(rows: pd.DataFrame) -> str:
    return _capital(", ".join(dict.fromkeys(ESTIMANDS[e] for e in rows["estimand"])))


def path_sentence(result: Result, model: str) -> str:
    """What a model of mediation by least squares says: its indirect effects, or that it estimates none."""
    rows = result.estimates.select(model=model)
    first = rows.iloc[0]
    own = [reading for reading in result.readings.paths if reading.model == model]
    products = [(reading.mediator, reading.indirect) for reading in own if reading.indirect is not None]
    exposure = result.study.spec(result.study.model(model)).exposure
    lead = f"{first['estimator'][0].upper()}{first['estimator'][1:]} ('{model}', {first['covariance']})"
    if not products:
        steps = rows[rows["estimand"].isin(["path_a", "path_b"])]
        paths = "; ".join(
            f"{f'{exposure} to {name}' if row['estimand'] == 'path_a' else f'{name} to {first["outcome"]}'} "
            f"{number(row['estimate'])}, 95 % interval {interval(row)}"
            for name, (_, row) in zip(steps["term"], steps.iterrows(), strict=True)
        )
        return f"{lead}: {paths}. {_capital(rows.loc[rows['note'] != '', 'note'].iloc[0])}."
    found = "; ".join(
        f"through {mediator} {number(product.row['estimate'])}, 95 % interval {interval(product.row)}, "
        f"{p_relation(product.row['p_value'])}"
        for mediator, product in products
    )
    open_ = [mediator for mediator, product in products if not product.clear]
    reading = f" The interval includes zero: no indirect association is established through {', '.join(open_)}."
    return f"{lead}: indirect association of {exposure} with {first['outcome']}, {found}.{reading if open_ else ''}"


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
