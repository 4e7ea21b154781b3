"""What posteriors with draws of slopes share."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from bayes_npp.bayesian.fitting.drawn import Drawn


@dataclass(frozen=True, repr=False)
class Own(Drawn):
    tree: xr.DataTree
    groups: tuple[str, ...] = ()

    @property
    def design(self):
        return SimpleNamespace(groups=self.groups)

    def estimates(self):
        raise AssertionError("not asked for")


def test_chains_are_stacked_one_after_the_other():
    slope, by_group = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(2, 3, 2)
    variables = {"slope": slope, "group_slope": by_group, "nothing": np.empty((2, 3, 0))}
    posterior = xr.Dataset(
        {name: (("chain", "draw", f"{name}_dim")[: values.ndim], values) for name, values in variables.items()}
    )
    tree = xr.DataTree.from_dict({"posterior": posterior})
    assert Own(tree).slopes.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert Own(tree).slopes.shape == (6, 1)
    assert Own(tree, ("east", "west")).slopes.tolist() == by_group.reshape(6, 2).tolist()
    assert Own(tree).values("nothing").shape == (6, 0)


def test_a_posterior_has_a_design_and_a_table():
    with pytest.raises(TypeError, match="abstract"):
        Drawn()
