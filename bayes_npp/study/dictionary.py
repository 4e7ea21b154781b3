"""Every key of a study file in words: what it means, and an example. A test compares this with the records."""

Words = dict[str, tuple[str, str]]

STUDY: Words = {
    "title": ("What readers see above the report.", '"Trade and productivity"'),
    "panel": ("The panel's file, relative to the study file: CSV, Parquet, Stata, Excel.", '"panel.csv"'),
    "encoding": ("Of a CSV file; Chinese files that are not UTF-8 are usually gb18030.", '"gb18030"'),
    "unit": ("Column of units.", '"country"'),
    "time": ("Column of periods.", '"year"'),
    "group": ("Column that is constant in units and may have slopes of its own.", '"region"'),
    "period": ("What a key of time is, where it does not say so itself.", '"quarter"'),
    "step": ("Periods from one row of a unit to the next without a gap.", "2"),
    "window": ("First and last period of the estimates, in the file's keys; earlier rows serve lags.", "[2014, 2022]"),
    "missing": ("Cells that are blank.", '["NA", -99]'),
    "published": ("The numbers of a paper, as printed.", '"published.csv"'),
    "positions": ("Where units stand on a grid of tiles: unit, row, column, short.", '"positions.csv"'),
    "replicates": ("The data are the paper's own: its numbers are differenced with ours.", "true"),
    "tolerance_estimate": ("What the data allow beyond printing, of estimates.", "2e-6"),
    "tolerance_se": ("The same of standard errors.", "1e-6"),
    "seed": ("Of every random number.", "1"),
    "data_are": ("What the data are, for the report.", '"Official statistics of 30 countries."'),
    "data_are_not": ("What they are not.", '"The paper\'s own data."'),
    "doubts": ("Doubts about the study, each a sentence of the report.", '["Nine years are few."]'),
    "title_zh": ("The title in Chinese.", '"贸易与生产率"'),
    "data_are_zh": ("`data_are` in Chinese.", '"30 个国家的官方统计。"'),
    "data_are_not_zh": ("`data_are_not` in Chinese.", '"论文自己的数据。"'),
    "doubts_zh": ("`doubts` in Chinese, in the same order.", '["九年太短。"]'),
}
LABELS: Words = {
    "unit": ("Column with the units' names in Chinese, or a table of them.", '"country_zh"'),
    "group": ("The same of groups.", '{East = "东部", West = "西部"}'),
    "words": ("Other labels and names that readers see, in Chinese.", '{low = "低", high = "高"}'),
    "columns": ("What readers see instead of a column's name.", '{rd_exp_10k = "research spending"}'),
}
ROLES: Words = {
    "outcome": ("Column to explain.", '"y"'),
    "exposure": ("Column whose slope is asked for.", '"x2"'),
    "controls": ("Columns held constant; lags as L1.x.", '["ln_gdp", "L1.tax"]'),
    "mediators": ("Columns through which the exposure may act.", '["structure"]'),
}
NAMED: Words = {
    "name": ("Its name, also of files.", '"baseline"'),
    "title": ("What readers see instead of the name.", '"Baseline"'),
    "title_zh": ("The same in Chinese.", '"基准回归"'),
}
VARIABLE: dict[str, Words] = {
    "ratio": {
        "ratio": ("Numerator and denominator.", '["sales", "gdp"]'),
        "scale": ("A factor on the ratio.", "100"),
    },
    "sum": {"sum": ("Columns to add; missing if any part is.", '["a", "b"]')},
    "log": {"log": ("Column whose natural logarithm is taken.", '"gdp"')},
    "log1p": {"log1p": ("Column x of ln(1 + x).", '"patents"')},
    "scale": {"scale": ("Column to multiply.", '"gdp"'), "by": ("The factor.", "0.01")},
    "lag": {"lag": ("Column whose earlier value is taken.", '"x"'), "periods": ("How many periods earlier.", "1")},
    "lead": {"lead": ("Column whose later value is taken.", '"x"'), "periods": ("How many periods later.", "1")},
    "index": {
        "index": ("Weights of a composite index.", '"entropy"'),
        "positive": ("Indicators of which more is more.", '["rd", "papers"]'),
        "negative": ("Indicators of which more is less.", '["pollution"]'),
        "shift": ("Added to scaled indicators before logarithms.", "1e-4"),
    },
    "structure_level": {
        "structure_level": (
            "Shares of sectors 1, 2, 3; the level is the sum of s times share s.",
            '["s1", "s2", "s3"]',
        ),
        "remainder": ("Columns start at sector 2, and sector 1 is the rest.", "true"),
        "total": ("What shares add up to.", "100"),
    },
    "winsorise": {
        "winsorise": ("Column whose tails are set to their quantiles.", '"x"'),
        "p": ("Share of each tail.", "0.01"),
        "within": ("Quantiles of the window, or of each period.", '"period"'),
    },
    "standardise": {"standardise": ("Column to put at mean 0 and SD 1 over the window.", '"x"')},
    "product": {"product": ("Columns to multiply.", '["x", "z"]')},
    "square": {"square": ("Column to square.", '"x"')},
    "difference": {
        "difference": ("Column whose change is taken, by time.", '"x"'),
        "periods": ("Since how many periods before.", "1"),
    },
    "growth": {
        "growth": ("Column whose growth is taken, by time.", '"gdp"'),
        "periods": ("Since how many periods before.", "1"),
        "method": ("x / x before - 1, or the difference of logarithms.", '"log"'),
    },
    "per_head": {"per_head": ("An amount and a population.", '["gdp", "people"]')},
    "deflate": {
        "deflate": ("An amount at current prices.", '"gdp"'),
        "by": ("The price index.", '"cpi"'),
        "base": ("Period at whose prices the amount is put.", "2015"),
        "index": ("An index of levels, or of previous year = 100.", '"previous"'),
    },
    "shift_share": {
        "shift_share": ("Columns of shares.", '["textiles", "steel"]'),
        "shifts": (
            "Columns whose period means are the shifts, in the same order.",
            '["textile_exports", "steel_exports"]',
        ),
        "at": ("Period of the shares.", "2010"),
        "leave_one_out": ("The mean over the other units.", "true"),
    },
    "share": {
        "share": ("Column of which a unit's share is taken.", '"gdp"'),
        "of": ("Group in whose total of the period it is.", '"region"'),
    },
    "interpolate": {
        "interpolate": ("Column whose inner gaps are filled along a line; each cell is listed.", '"staff"')
    },
    "baseline_split": {
        "baseline_split": ("Column by whose median units are split.", '"telecom"'),
        "at": ("Period of the split.", "2014"),
        "labels": ("Names of the halves, the lower first.", '["low", "high"]'),
    },
}
MODEL: Words = {
    "kind": ("What is estimated.", '"twfe"'),
    "controls": ("In place of the study's controls.", '["ln_gdp"]'),
    "outcome": ("In place of the study's outcome.", '"y_alt"'),
    "exposure": ("In place of the study's exposure.", '"x2"'),
    "mediators": ("In place of the study's mediators.", '["structure"]'),
    "effects": ("Whose effects are absorbed.", '"unit"'),
    "slopes": (
        "Who has slopes of the exposure: a grouping column; in a hierarchical model also unit, or group/unit.",
        '"region"',
    ),
    "subsamples": ("Grouping column: a separate regression for each group.", '"region"'),
    "unit_trends": ("A linear trend of each unit: true or fixed, in hierarchical models also partial.", "true"),
    "exposure_factor": ("A loading of each unit on the exposure's own factor.", '"fixed"'),
    "exposure_factors": ("How many of them.", "1"),
    "group_time_effects": ("Grouping column whose groups have period effects of their own.", '"region"'),
    "covariance": ("Of standard errors; robust is White's HC1, clustered is by unit.", '"driscoll_kraay"'),
    "convention": ("Small-sample factor: Stata's, none, G/(G-1), without or with absorbed effects.", '"stata"'),
    "lags": ("Of driscoll_kraay; of mediation, how much earlier exposure and mediators stand.", "2"),
    "cluster": (
        "Of clustered errors: unit, unit and time, or a column of which units are nested in (of the wild bootstrap and "
        "of cluster_bootstrap too).",
        '"region"',
    ),
    "analytic_weights": (
        "Column of positive weights of rows, Stata's aweight; rows without one are left out.",
        '"people"',
    ),
    "weights": ("Of the wild bootstrap.", '"webb"'),
    "draws": ("Posterior draws of a chain, or draws of a bootstrap.", "2000"),
    "seed": ("Of the wild bootstrap, or of the starts of the search for factors.", "1"),
    "factors": ("Common factors.", "2"),
    "averages": (
        "Columns whose averages over units stand for factors; outcome and regressors without it.",
        '["y", "trade"]',
    ),
    "pooled": ("One slope, or the mean of units' own.", "false"),
    "outcome_lags": ("Lags of the outcome among the regressors.", "1"),
    "gmm": ("GMM-style instruments: column, first lag, last lag or all.", '[["y", 2, 4]]'),
    "iv": ("Standard instruments.", '["ln_gdp"]'),
    "steps": ("One or two steps.", "2"),
    "windmeijer": ("Correct two-step errors.", "true"),
    "robust": ("One step: errors clustered by unit.", "true"),
    "collapse": ("One instrument a lag, not one a period and lag.", "true"),
    "transform": ("Of hierarchical models levels or first_difference, of GMM fd or fod.", '"fod"'),
    "time_dummies": ("Period dummies, and in which equations.", '"differenced"'),
    "small": ("t, and variances with a small-sample factor.", "true"),
    "h": ("Weights of GMM's first step.", "3"),
    "unit_effects": ("Absent, partially pooled, or flat.", '"partial"'),
    "time_effects": ("The same of periods.", '"partial"'),
    "correlated_means": (
        "Unit and period parts of regressors beside them, so that slopes target what fixed effects do.",
        "true",
    ),
    "errors": (
        "iid, known, auto, or parts joined by +: ar1, unit_scale, period_scale, student_t, factor, factor2.",
        '"ar1+unit_scale"',
    ),
    "priors": ("A named set, or a .toml file.", '"sceptical"'),
    "tune": ("Warm-up draws.", "1000"),
    "chains": ("Chains of the sampler.", "4"),
    "target_accept": ("Of the sampler.", "0.95"),
    "varying": ("Controls whose slopes vary as the exposure's.", '["ln_gdp"]'),
    "slope_pooling": ("How groups' slopes hang together.", '"exchangeable"'),
    "slope_correlation": ("Correlation of unit slopes with unit effects.", "true"),
    "se": ("Column of known standard errors.", '"se"'),
    "dynamic": ("The outcome of the period before as a regressor, with correlated initial conditions.", "true"),
    "engine": ("How the posterior is drawn.", '"nuts"'),
    "ladder": (
        "Other errors and ways to pool beside it; factor: a common factor too; factors: one and two.",
        '"factor"',
    ),
    "varying_paths": ("Paths that vary by group.", '["a", "b"]'),
    "serial": ("Links from one mediator to another.", '[["structure", "staff"]]'),
    "path_correlation": ("Whether a prior ties the paths of a group.", "true"),
    "missing": ("What becomes of missing cells of mediators.", '"impute"'),
    "extrapolation": ("Along a line, or the nearest value carried.", '"carry"'),
    "mediator_errors": ("Errors of the mediators' equations: one for all, or by mediator.", '{structure = "ar1"}'),
    "compare_missing": ("Show every treatment of missing cells.", "false"),
    "method": ("Of mediation by least squares.", '"product"'),
    "interval": ("Of products of paths.", '"cluster_bootstrap"'),
    "instruments": ("Columns that move the exposure and are held to move the outcome through it alone.", '["z"]'),
    "endogenous": ("Controls that are endogenous as well.", '["price"]'),
    "exclusion": (
        "SD of the instruments' own coefficients in the outcome's equation, in its within SD per theirs.",
        "0.1",
    ),
}
DIFFERENCE: Words = {
    "name": ("Its name, also of files.", '"regions"'),
    "group": ("Grouping column.", '"region"'),
    "model": ("Hierarchical model beside the tests; the first with slopes by the group without it.", '"regions"'),
    "controls": ("In place of the study's.", '["ln_gdp"]'),
    "draws": ("Permutations, and draws of the wild bootstrap.", "9999"),
    "seed": ("Of both.", "1"),
    "convention": ("Small-sample factor of regressions that hold all groups.", '"stata"'),
}
EVENT_TIME: Words = {
    "leads": ("How many periods ahead the exposure enters.", "2"),
    "lags": ("How many periods before.", "2"),
    "model": ("Hierarchical model whose errors and priors are taken; the first static one without it.", '"regions"'),
}
CONFOUNDING: Words = {
    "benchmarks": (
        "Controls that an omitted confounder is compared with; all of the study's without it.",
        '["ln_gdp"]',
    ),
    "multiples": ("Times as strong as each.", "[1, 2, 3]"),
    "mean_multiple": ("Mean of the exponential prior on the multiple.", "1.0"),
}
ROBUSTNESS: Words = {
    "title": ("What readers see instead of the name.", '"Without the municipalities"'),
    "title_zh": ("The same in Chinese.", '"不含直辖市"'),
    "note_zh": ("`note` in Chinese.", '"论文的表 4"'),
    "models": ("Models it applies to; the first two-way fixed effects model without it.", '["baseline"]'),
    "winsorise": ("Share of each tail of outcome, exposure and controls set to its quantile.", "0.01"),
    "within_period": ("Quantiles within each period.", "true"),
    "drop_units": ("Units left out.", '["A"]'),
    "window": ("Within the study's.", "[2016, 2020]"),
    "outcome": ("In place of the model's.", '"y_pca"'),
    "rescale": ("The outcome gets mean and SD of the study's.", "true"),
    "exposure": ("In place of the model's.", '"x2"'),
    "controls": ("In place of the model's.", "[]"),
    "unit_trends": ("Trends of units.", "true"),
    "group_time_effects": ("Grouping column whose groups have period effects of their own.", '"region"'),
    "exposure_factor": ("Loadings on the exposure's own factor.", "true"),
    "factors": ("So many interactive effects beside two-way fixed effects.", "1"),
    "averages": ("Common correlated effects with these averages.", '["y"]'),
    "lead": ("The exposure so many periods later as one more control: a placebo.", "1"),
    "lag": ("The exposure so many periods earlier in its place.", "1"),
    "note": ("Where the row comes from.", '"Table 5"'),
}
MEASUREMENT: Words = {
    "index": ("The study's outcome, declared as an index.", '"y"'),
    "models": ("Hierarchical models fitted to every variant.", '["regions"]'),
    "weights": ("Ways to weight.", '["entropy", "pca"]'),
    "logs": ("Indicators as they are, as ln(x + shift), as ln(1 + x).", '["none", "ln"]'),
    "log_shift": ("The shift of ln.", "0.0"),
    "leave_one_out": ("Every variant without each indicator in turn.", "true"),
    "exposures": ("Other exposures.", '["trade"]'),
    "draws": ("Indices drawn around the weights.", "40"),
    "dirichlet": ("Concentration of drawn weights.", "200.0"),
}
OVERLAP: Words = {
    "concept": ("One thing that several columns measure.", '"digital economy"'),
    "columns": ("Those columns.", '["sales", "software"]'),
}
CLAIM: Words = {
    "id": ("Unique.", '"H1"'),
    "text": ("What the paper says.", '"Trade raises productivity."'),
    "text_zh": ("The same in Chinese.", '"贸易提高生产率。"'),
    "proposition": ("What it comes to.", '"slope[East] > slope[West]"'),
    "model": ("The hierarchical or mediation model that answers.", '"regions"'),
    "published": ("What published.csv calls its rows; the id without it.", '"regions"'),
    "smallest_effect": ("The smallest distance that would matter, in the data's units.", "0.05"),
    "effects": ("Plausible true sizes, for risks of wrong signs and exaggeration.", "[0.05, 0.1]"),
}
CLAIMS: Words = {
    "support": ("Probability from which a claim is supported.", "0.975"),
    "contradict": ("Probability below which it is contradicted.", "0.025"),
    "grid": ("Named grid of priors, or a .toml file.", '"default"'),
}
TABLE: Words = {
    "number": ("Of the paper's table.", '"2"'),
    "title": ("Its title.", '"Baseline"'),
    "columns": ("Names of models, in order.", '["twfe", "regions"]'),
    "note": ("Below the table.", '"Clustered errors."'),
    "title_zh": ("The title in Chinese.", '"基准回归"'),
    "note_zh": ("The note in Chinese.", '"聚类标准误。"'),
}
