"""A fit as one netCDF file: its tree and the design behind it, nothing pickled."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.design import Design
from bayes_npp.design.left_out import LeftOut
from bayes_npp.design.scales import Scales
from bayes_npp.design.spec import Spec
from bayes_npp.errors import OutputError
from bayes_npp.panels.calendar import Period
from bayes_npp.store import read_tree, write_tree

if TYPE_CHECKING:
    import xarray as xr

ARRAYS = ("outcome", "exposure", "controls", "unit", "time", "group", "group_time", "se", "lag", "initial")


def write_fit(tree: "xr.DataTree", design: Design, path: Path) -> None:
    """Write a tree with the arrays and labels of its design."""
    import xarray as xr

    arrays = {name: np.asarray(value) for name in ARRAYS if (value := getattr(design, name)) is not None}
    held = {name: (tuple(f"{name}_{axis}" for axis in range(array.ndim)), array) for name, array in arrays.items()}
    labels = {
        "units": design.units,
        "times": [[int(time), str(time), isinstance(time, Period)] for time in design.times],
        "groups": design.groups,
        "group_times": design.group_times,
        "left_out": asdict(design.left_out),
        "doubt": design.doubt,
    }
    whole = tree.copy()
    whole["design"] = xr.DataTree(xr.Dataset(held, attrs={"labels": json.dumps(labels, ensure_ascii=False)}))
    write_tree(whole, path)


def read_fit(path: Path) -> tuple["xr.DataTree", Design, PriorSet, Sampler]:
    """What `write_fit` wrote: tree, design, priors and sampler.

    Raises
    ------
    OutputError
        No file, a damaged or altered one, one that holds no design.
    """
    if not path.is_file():
        raise OutputError("there is no such file", place=str(path), fix="Give the path that fit.save wrote")
    tree = read_tree(path)
    if "design" not in tree.children:
        raise OutputError("the file holds no design", place=str(path), fix="Give a file that fit.save wrote")
    held = tree["design"].dataset
    labels: dict[str, Any] = json.loads(held.attrs["labels"])
    priors = json.loads(tree.attrs["priors"])
    arrays: dict[str, Any] = {name: held[name].to_numpy() if name in held else None for name in ARRAYS}
    design = Design(
        **arrays,
        spec=Spec(**json.loads(tree.attrs["spec"])),
        units=tuple(labels["units"]),
        times=tuple(Period(number, label) if named else number for number, label, named in labels["times"]),
        groups=tuple(labels["groups"]),
        group_times=tuple(labels["group_times"]),
        scales=Scales.from_dict(json.loads(tree.attrs["scales"])),
        left_out=LeftOut(**labels["left_out"]),
        doubt=tuple(labels["doubt"]),
    )
    own = {slot: PriorSpec(**prior) for slot, prior in priors.pop("prior").items()}
    sampler = Sampler(**json.loads(tree.attrs["sampler"]))
    return tree, design, PriorSet(**priors, prior=own), sampler
