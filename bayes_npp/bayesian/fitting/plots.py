"""Plots of a fit by arviz-plots, which is imported when the first is asked for."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_npp.bayesian.fitting.quantities import Posterior
from bayes_npp.bayesian.fitting.whole_tree import whole_tree
from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import WIDEST, Shown

if TYPE_CHECKING:
    import xarray as xr

# What plots of ArviZ need beside the posterior, by the beginnings of their names.
NEEDS = {
    "ppc": ("posterior_predictive",),
    "loo": ("posterior_predictive",),
    "lm": ("posterior_predictive",),
    "prior": ("prior",),
    "bf": ("prior",),
}
OF_GROUP = "slope_group"  # in place of the dimension "group", which `plot_prior_posterior` makes one of its own
NO_TREE = ("combine", "compare", "khat")  # take something else than a tree


@dataclass(frozen=True, repr=False)
class Plots(Shown):
    """Plots of one fit. Every function `plot_<name>` of arviz-plots that takes a tree is here as `<name>`.

    It is given the fit's tree with the draws that it needs, and every argument. `forest`, `pooling`, `checks` and
    `factor` choose what they show. All return a `PlotCollection` (`.savefig(path)`, `.show()`); `backend` is
    "matplotlib" unless rcParams of ArviZ say otherwise.

    Attributes
    ----------
    fit : Posterior
    otherwise : callable
        The same model fitted with another pooling of the groups' slopes, "none" or "complete".
    """

    fit: Posterior
    otherwise: Callable[[str], Posterior]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in (names := _names()):
            raise SpecError(f"there is no plot '{name}' of a fit", fix=nearest(name, names))

        def drawn(*args: Any, **options: Any) -> Any:
            return _of_arviz(name)(self.tree(name), *args, **options)

        drawn.__doc__ = _of_arviz(name).__doc__
        return drawn

    def __dir__(self) -> list[str]:
        return sorted({"forest", "pooling", "checks", "factor", "tree", *_names()})

    def details(self) -> list[str]:
        """What it draws itself, and what arviz-plots does."""
        own = ["forest", "pooling", "checks", "factor"]
        others = ", ".join(name for name in _names() if name not in own)
        return [", ".join(own), *textwrap.wrap(f"of arviz-plots: {others}", WIDEST - 10)]

    def tree(self, name: str = "") -> "xr.DataTree":
        """The tree that the plot of this name is given.

        For `prior_posterior` and `bf` its dimension "group" is called "slope_group": `plot_prior_posterior` lays prior
        and posterior along a dimension "group" of its own, and fails where there is one.
        """
        needed = next((own for start, own in NEEDS.items() if name.startswith(start)), ())
        tree = whole_tree(self.fit, groups=needed)
        return tree.map_over_datasets(_renamed) if "prior" in needed else tree

    def forest(self, **options: Any) -> Any:
        """Intervals of the exposure's slopes in the data's units: common, of groups, or of units.

        Options are those of `arviz_plots.plot_forest`; `var_names` chooses other variables.

        Raises
        ------
        SpecError
            No exposure and no `var_names`.
        """
        held = self.fit.tree["posterior"].data_vars
        slopes = [name for name in ("slope_of_unit", "group_slope", "slope") if name in held][:1]
        if not slopes and "var_names" not in options:
            raise SpecError("the model has no slope to draw", fix="Name variables: fit.plot.forest(var_names=[...])")
        return _of_arviz("forest")(self.tree("forest"), **{"var_names": slopes, "combined": True, **options})

    def pooling(self, **options: Any) -> Any:
        """Groups' slopes each on its own, partially pooled, and as one common slope, under the same priors.

        The model is fitted twice more. Options are those of `arviz_plots.plot_forest`.

        Raises
        ------
        SpecError
            No slopes by a grouping column that are pooled, or slopes of units.
        """
        import xarray as xr

        fit, spec = self.fit, self.fit.spec
        if not spec.slope_group or spec.unit_slopes or spec.slope_pooling == "none":
            raise SpecError(
                "pooling is shown of slopes by a grouping column", fix="Fit it with slopes = '<grouping column>'"
            )
        groups = list(fit.design.groups)

        def tree(own: Posterior) -> xr.DataTree:
            chains = own.tree["posterior"].sizes["chain"]
            slopes = np.broadcast_to(own.slopes, (len(own.slopes), len(groups)))  # a common slope is every group's
            array = (("chain", "draw", "group"), slopes.reshape(chains, -1, len(groups)))
            coords = {"chain": np.arange(chains), "draw": np.arange(array[1].shape[1]), "group": groups}
            return xr.DataTree.from_dict({"posterior": xr.Dataset({"slope": array}, coords)})

        pooled = {"no pooling": self.otherwise("none"), "partial": fit, "complete": self.otherwise("complete")}
        trees = {label: tree(own) for label, own in pooled.items()}
        shown = _of_arviz("forest")(trees, **{"combined": True, **options})
        shown.add_legend("model")
        return shown

    def checks(self, **options: Any) -> Any:
        """What the model makes of each statistic of `fit.checks`, and a line where the data's is (posterior median).

        Options are those of `arviz_plots.plot_dist`.
        """
        import xarray as xr
        from arviz_plots import add_lines

        found = self.fit.discrepancies()
        new = {one.name: (("chain", "draw"), one.new[None]) for one in found}
        coords = {"chain": [0], "draw": np.arange(len(found[0].new))}
        tree = xr.DataTree.from_dict({"posterior": xr.Dataset(new, coords)})
        shown = _of_arviz("dist")(tree, **{"ci_prob": 0.95, "ci_kind": "eti", "point_estimate": "median", **options})
        return add_lines(shown, {one.name: float(np.median(one.own)) for one in found})

    def factor(self, **options: Any) -> Any:
        """The common factors over time; `var_names=["loading"]` draws the loadings of units.

        Options are those of `arviz_plots.plot_forest`.

        Raises
        ------
        SpecError
            Errors without common factors.
        """
        if "factor" not in self.fit.tree["posterior"]:
            raise SpecError(
                f"errors = '{self.fit.spec.errors}' have no common factor", fix="Fit it with errors = 'factor'"
            )
        return self.forest(**{"var_names": ["factor"], **options})


def _names() -> list[str]:
    """Plots of arviz-plots that take a tree, without the "plot_" they begin with."""
    import arviz_plots

    names = [name.removeprefix("plot_") for name in dir(arviz_plots) if name.startswith("plot_")]
    return [name for name in names if name not in NO_TREE and callable(getattr(arviz_plots, f"plot_{name}"))]


def _of_arviz(name: str) -> Callable[..., Any]:
    import arviz_plots

    own: Callable[..., Any] = getattr(arviz_plots, f"plot_{name}")
    return own


def _renamed(own: "xr.Dataset") -> "xr.Dataset":
    return own.rename({"group": OF_GROUP}) if "group" in own.dims else own
