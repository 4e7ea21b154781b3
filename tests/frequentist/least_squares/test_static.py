"""Golden rows from R (plm, sandwich) and Stata, and an independent dense computation.

Tolerances: coefficients 1e-6 and SEs 1e-5 relative, what two correct double-precision programs share; the thesis log is
held to what its README argues (2e-6 absolute; half a printed digit plus 1e-6).
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.least_squares.covariance import driscoll_kraay_lags
from bayes_npp.frequentist.least_squares.static import replace_slopes
from tests.conftest import REFERENCE

GOLDEN = pd.read_csv(REFERENCE / "static_panel.csv")
COEFFICIENT, SE = 1e-6, 1e-5
PLM, HC = "plm 2.6-2", "plm 2.6-2 vcovHC(arellano)"
SCC = "plm 2.6-2 vcovSCC"
ROWS = [
    ("pooled OLS | classical", PLM, bn.pooled_ols, {"covariance": "classical"}),
    ("pooled OLS | cluster(entity) type HC0", HC, bn.pooled_ols, {"convention": "hc0"}),
    ("pooled OLS | cluster(entity) type sss", HC, bn.pooled_ols, {"convention": "sss"}),
    ("pooled OLS | cluster(entity) type sss", HC, bn.pooled_ols, {"convention": "stata"}),
    (
        "pooled OLS | Driscoll-Kraay maxlag=2 type HC0",
        SCC,
        bn.pooled_ols,
        {"covariance": "driscoll_kraay", "lags": 2, "convention": "hc0"},
    ),
    ("pooled OLS | Driscoll-Kraay maxlag=2 type sss", SCC, bn.pooled_ols, {"covariance": "driscoll_kraay", "lags": 2}),
    ("one-way FE (entity) | classical", PLM, bn.fixed_effects, {"covariance": "classical"}),
    ("one-way FE (entity) | cluster(entity) type sss", HC, bn.fixed_effects, {"convention": "sss"}),
    ("TWFE (entity+time) | classical", PLM, bn.twfe, {"covariance": "classical"}),
    ("TWFE (entity+time) | cluster(entity) type HC0", HC, bn.twfe, {"convention": "hc0"}),
    ("TWFE (entity+time) | cluster(entity) type sss", HC, bn.twfe, {"convention": "sss"}),
    (
        "TWFE (entity+time) | Driscoll-Kraay maxlag=2 type HC0",
        SCC,
        bn.twfe,
        {"covariance": "driscoll_kraay", "lags": 2, "convention": "hc0"},
    ),
    (
        "TWFE (entity+time) | Driscoll-Kraay maxlag=2 type sss",
        SCC,
        bn.twfe,
        {"covariance": "driscoll_kraay", "lags": 2, "convention": "sss"},
    ),
    (
        "TWFE | cluster(entity) type=HC1 cadjust=TRUE",
        "lm LSDV + sandwich::vcovCL 3.0-2",
        bn.twfe,
        {"convention": "lsdv"},
    ),
]


def golden(spec, estimator):
    rows = GOLDEN[(GOLDEN["spec"] == spec) & (GOLDEN["estimator"] == estimator)]
    assert len(rows) >= 4, spec
    return rows.replace({"(Intercept)": "intercept"}).set_index("term")[["estimate", "se"]]


def check(table, reference):
    ours = table.frame.set_index("term")
    for term, row in reference.iterrows():
        assert ours.loc[term, "estimate"] == pytest.approx(row["estimate"], rel=COEFFICIENT), term
        assert ours.loc[term, "spread"] == pytest.approx(row["se"], rel=SE), term


@pytest.mark.parametrize(("spec", "software", "estimator", "options"), ROWS, ids=[f"{r[0]}-{r[3]}" for r in ROWS])
def test_golden_rows_of_produc(spec, software, estimator, options, produc, produc_spec):
    check(estimator(produc, produc_spec, **options), golden(spec, software))


@pytest.mark.parametrize(
    ("convention", "se"), [("hc0", 0.0569190), ("sss", 0.0576275), ("stata", 0.0582404), ("lsdv", 0.0600423)]
)
def test_four_conventions_of_one_coefficient(convention, se, produc, produc_spec):
    row = bn.twfe(produc, produc_spec, convention=convention).frame.iloc[0]
    assert row["spread"] == pytest.approx(se, abs=6e-8)
    assert convention in row["convention"]
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(row["estimate"] / row["spread"]), 47), rel=1e-12)


@pytest.mark.parametrize("region", [1, 5, 8])
def test_golden_subsamples(region, produc, produc_spec):
    table = bn.twfe(produc, produc_spec, convention="sss", subsamples="region")
    rows = table.frame[table.frame["group"] == str(region)]
    assert rows["estimand"].iloc[0] == "subsample_slope"
    check(bn.Estimates(rows), golden(f"TWFE subsample region=={region} | cluster sss", PLM))


def test_golden_interaction(produc):
    reference = GOLDEN[GOLDEN["spec"].str.startswith("TWFE interaction")].set_index("term")
    south = np.where(produc.frame["region"].isin([5, 6, 7]), "south", "rest")
    spec = bn.Spec(outcome="lgsp", exposure="lpcap", controls=("lpc", "lemp", "unemp"), slopes="south")
    frame = bn.twfe(produc.with_column("south", south), spec, convention="sss").frame
    interaction = next(term for term in reference.index if ":" in term or "south" in term)
    rest = frame[(frame["estimand"] == "group_slope") & (frame["group"] == "rest")].iloc[0]
    gap = frame[frame["estimand"] == "slope_difference"].iloc[0]
    sign = 1 if gap["group"].startswith("south") else -1
    assert rest["estimate"] == pytest.approx(reference.loc["lpcap", "estimate"], rel=COEFFICIENT)
    assert rest["spread"] == pytest.approx(reference.loc["lpcap", "se"], rel=SE)
    assert sign * gap["estimate"] == pytest.approx(reference.loc[interaction, "estimate"], rel=COEFFICIENT)
    assert gap["spread"] == pytest.approx(reference.loc[interaction, "se"], rel=SE)


def test_golden_winsorised(produc):
    names = ("lgsp", "lpcap", "lpc", "lemp", "unemp")
    panel = bn.derive(produc, [{"name": f"{name}_w", "winsorise": name, "p": 0.01} for name in names])
    spec = bn.Spec(outcome="lgsp_w", exposure="lpcap_w", controls=("lpc_w", "lemp_w", "unemp_w"))
    table = bn.twfe(panel, spec, convention="sss")
    reference = golden("TWFE winsorised 1/99 each var | cluster sss", PLM)
    reference.index = [term if term.endswith("_w") else f"{term.removesuffix('.w')}_w" for term in reference.index]
    check(table, reference)


@pytest.mark.parametrize("model", ["m1", "m2"])
def test_thesis_log(model):
    published = pd.read_csv(REFERENCE / "fiscal_tfp" / "published.csv", dtype=str, keep_default_na=False)
    rows = published[published["model"] == model]
    panel = bn.read_panel(REFERENCE / "fiscal_tfp" / "panel.csv", unit="province", time="year")
    terms = list(rows["term"])
    frame = bn.twfe(panel, bn.Spec(outcome="ln_tfp", exposure=terms[0], controls=tuple(terms[1:]))).frame.set_index(
        "term"
    )
    for _, row in rows.iterrows():
        ours = frame.loc[row["term"]]
        assert ours["estimate"] == pytest.approx(float(row["estimate"]), abs=2e-6)
        half_digit = 0.5 * 10.0 ** -len(row["se"].split(".")[1])
        assert ours["spread"] == pytest.approx(float(row["se"]), abs=half_digit + 1e-6)
        assert ours["p_value"] == pytest.approx(float(row["p"]), abs=6e-4)
        assert ours["n_obs"] == int(row["n_obs"])


def test_interacted_twfe_equals_dense_dummies(simulated, grouped_spec):
    frame = bn.twfe(simulated, grouped_spec, convention="hc0").frame
    data = simulated.frame
    groups = list(dict.fromkeys(data["group"]))
    x = np.column_stack(
        [data["exposure"] * (data["group"] == g) for g in groups] + [data["control_1"], data["control_2"]]
    )
    dummies = np.column_stack([pd.get_dummies(data["unit"]), pd.get_dummies(data["time"]).iloc[:, 1:]]).astype(float)
    everything = np.column_stack([x, dummies])
    bread = np.linalg.pinv(everything.T @ everything)
    beta = bread @ everything.T @ data["outcome"].to_numpy()
    scores = everything * (data["outcome"].to_numpy() - everything @ beta)[:, None]
    sums = pd.DataFrame(scores).groupby(data["unit"].to_numpy()).sum().to_numpy()
    covariance = bread @ sums.T @ sums @ bread
    ours = frame[frame["estimand"] == "group_slope"]
    np.testing.assert_allclose(ours["estimate"], beta[:3], rtol=1e-9)
    np.testing.assert_allclose(ours["spread"], np.sqrt(np.diag(covariance)[:3]), rtol=1e-8)
    gap = frame[frame["group"] == f"{groups[0]} - {groups[2]}"].iloc[0]
    contrast = np.zeros(len(beta))
    contrast[[0, 2]] = 1, -1
    assert gap["estimate"] == pytest.approx(contrast @ beta, rel=1e-9)
    assert gap["spread"] == pytest.approx(np.sqrt(contrast @ covariance @ contrast), rel=1e-8)


def test_weighted_average_of_interacted_slopes_is_twfe(simulated, grouped_spec):
    from bayes_npp.frequentist.least_squares.static import replace_slopes

    interacted = bn.twfe(simulated, grouped_spec).frame
    plain = bn.twfe(simulated, replace_slopes(grouped_spec, None)).frame.iloc[0]
    average = interacted[interacted["estimand"] == "average_slope_twfe_weighted"].iloc[0]
    assert average["estimate"] == pytest.approx(plain["estimate"], rel=1e-9)


def test_units_of_measurement_scale_through(produc):
    small = produc.with_column("lpcap_big", produc.numbers("lpcap") * 1e9)
    one = bn.twfe(produc, bn.Spec(outcome="lgsp", exposure="lpcap", controls=("lpc",))).frame.iloc[0]
    two = bn.twfe(small, bn.Spec(outcome="lgsp", exposure="lpcap_big", controls=("lpc",))).frame.iloc[0]
    assert two["estimate"] * 1e9 == pytest.approx(one["estimate"], rel=1e-9)
    assert two["spread"] * 1e9 == pytest.approx(one["spread"], rel=1e-9)


def test_absorbed_and_collinear_columns_are_named(produc):
    fixed = produc.with_column("by_state", produc.frame["state"].factorize()[0].astype(float))
    with pytest.raises(DesignError, match="'by_state' does not vary once the effects are removed"):
        bn.twfe(fixed, bn.Spec(outcome="lgsp", exposure="lpcap", controls=("by_state",)))
    double = produc.with_column("twice", 2 * produc.numbers("lpcap") + 1)
    with pytest.raises(DesignError, match="'twice' is a linear combination"):
        bn.twfe(double, bn.Spec(outcome="lgsp", exposure="lpcap", controls=("twice",)))


def test_no_degrees_of_freedom_is_an_error():
    frame = pd.DataFrame(
        {
            "u": [1, 1, 2, 2, 3, 3],
            "t": [1, 2] * 3,
            "y": [1.0, 2, 4, 3, 5, 9],
            "x": [0.1, 0.5, 0.2, 0.9, 0.4, 0.3],
            "z": [1.0, 3, 2, 2, 5, 1],
        }
    )
    panel = bn.read_panel(frame, unit="u", time="t")
    with pytest.raises(DesignError, match="6 rows for 6 parameters"):
        bn.twfe(panel, bn.Spec(outcome="y", exposure="x", controls=("z",)))


def test_unknown_options_name_the_known_ones(produc, produc_spec):
    with pytest.raises(SpecError, match="clustered"):
        bn.twfe(produc, produc_spec, covariance="cluster")
    with pytest.raises(SpecError, match="stata"):
        bn.twfe(produc, produc_spec, convention="stat")
    with pytest.raises(SpecError, match="two-way"):
        bn.fixed_effects(produc, produc_spec, effects="both")


def test_default_lags():
    assert [driscoll_kraay_lags(t) for t in (9, 17, 100)] == [2, 2, 4]


def test_with_one_common_slope_nothing_varies_by_group():
    """A specification whose controls vary by group has a counterpart with one slope."""
    spec = bn.Spec(outcome="y", exposure="x", controls=("c",), slopes="g", varying=("c",))
    plain = replace_slopes(spec, None)
    assert (plain.slopes, plain.varying) == (None, ())
    assert replace_slopes(spec, "h").varying == ("c",)
    separate = bn.Spec(outcome="y", exposure="x", slopes="g", slope_pooling="none")
    assert replace_slopes(separate, None) == bn.Spec(outcome="y", exposure="x")
    correlated = bn.Spec(outcome="y", exposure="x", slopes="unit", slope_correlation=True)
    assert replace_slopes(correlated, "g") == bn.Spec(outcome="y", exposure="x", slopes="g")
