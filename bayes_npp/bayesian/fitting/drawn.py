"""Posteriors with draws of the exposure's slopes: what they share, and what tables ask of one."""

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from bayes_npp.bayesian.fitting.diagnostics import Gate
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.design import Design
from bayes_npp.design.spec import Spec
from bayes_npp.estimates import Tabled

if TYPE_CHECKING:
    import xarray as xr


class Reported(Protocol):
    """What a table of estimates asks of a posterior."""

    @property
    def design(self) -> Design: ...
    @property
    def spec(self) -> Spec: ...
    @property
    def priors(self) -> PriorSet: ...
    @property
    def tree(self) -> "xr.DataTree": ...
    @property
    def diagnostics(self) -> Gate: ...
    @property
    def passed(self) -> bool: ...
    @property
    def label(self) -> str: ...
    @property
    def slopes(self) -> np.ndarray: ...
    def values(self, name: str) -> np.ndarray: ...
    def probability(self, asked: np.ndarray) -> float: ...


class Drawn(Tabled):
    """Draws in the group "posterior" of a tree, those of slopes in the data's units."""

    tree: "xr.DataTree"

    @property
    @abstractmethod
    def design(self) -> Design:
        """The rows of the outcome's equation."""

    def values(self, name: str) -> np.ndarray:
        """Posterior draws of a variable with chains stacked, shape (S, ...)."""
        array = self.tree["posterior"][name].to_numpy()
        return np.asarray(array.reshape(array.shape[0] * array.shape[1], *array.shape[2:]))  # of no columns too

    @cached_property
    def slopes(self) -> np.ndarray:
        """Draws of the exposure's slope in the data's units, shape (S, max(G, 1)), one column a group."""
        return self.values("group_slope") if self.design.groups else self.values("slope")[:, None]
