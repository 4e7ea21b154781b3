"""bayes_npp: Bayesian hierarchical re-analysis of panel studies, beside their frequentist baseline.

The public names below are imported on first use, so that `import bayes_npp` costs nothing.
"""

from importlib import import_module

TYPE_CHECKING = False  # `typing` costs what an interrupt must not wait for (see `__main__`)
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Balance": "panels.panel",
    "BayesNppError": "errors",
    "Estimates": "estimates",
    "Fit": "bayesian.fitting.fit",
    "Panel": "panels.panel",
    "PanelWarning": "errors",
    "Spec": "design.spec",
    "Study": "study.study",
    "audit": "auditing.run",
    "cce": "frequentist.factors.cce",
    "compare": "analysis.comparison",
    "confounding": "frequentist.hypotheses.confounding",
    "datasets": "panels.datasets",
    "derive": "panels.transforms",
    "difference_gmm": "frequentist.dynamic.gmm",
    "dynamic_within": "frequentist.dynamic.within",
    "event_time": "frequentist.hypotheses.event_time",
    "fit": "bayesian.fitting.fit",
    "fixed_effects": "frequentist.least_squares.static",
    "group_differences": "analysis.differences",
    "hausman": "frequentist.hypotheses.specification",
    "interactive_fe": "frequentist.factors.interactive",
    "iv": "frequentist.instruments.iv",
    "iv_hierarchical": "bayesian.instruments.iv_hierarchical",
    "load_study": "study.study",
    "mediate": "bayesian.mediation.mediation",
    "mediation_paths": "frequentist.mediation.mediation",
    "pesaran_cd": "frequentist.hypotheses.specification",
    "pooled_ols": "frequentist.least_squares.static",
    "predict": "bayesian.fitting.predict",
    "prior_preview": "bayesian.sensitivity.prior_checks",
    "read_panel": "panels.reading",
    "run_study": "pipeline",
    "sensitivity": "bayesian.sensitivity.sensitivity",
    "simulate": "panels.simulation",
    "simulate_dynamic": "panels.simulation",
    "simulate_mediation": "panels.simulation",
    "system_gmm": "frequentist.dynamic.gmm",
    "table": "reporting.publication",
    "twfe": "frequentist.least_squares.static",
    "wooldridge_serial": "frequentist.hypotheses.specification",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> "Any":
    if name not in _HOME:
        raise AttributeError(f"module 'bayes_npp' has no attribute '{name}'")
    return getattr(import_module(f"bayes_npp.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
