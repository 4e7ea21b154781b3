"""The only module that samples: nutpie on a compiled PyMC model, or on a density with its gradient."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_npp.bayesian.model.caches import check_pytensor, prepare_pytensor, remove_broken_of_pytensor
from bayes_npp.errors import SamplingError

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr


STATS = ("diverging", "energy", "n_steps", "step_size", "depth")
# Of the full model where the user does not say, and of chains of the collapsed one, which is small and nearly round.
TARGET_ACCEPT, COLLAPSED_TARGET_ACCEPT = 0.98, 0.9
TUNE, COLLAPSED_TUNE = 1000, 500
CAREFUL, SHORTEST, CAREFUL_TUNE = 0.98, 0.995, 600  # target acceptances, warm-up of runs after divergences
SHORTER = (0.95, 0.98)  # target acceptances of these one after the other, from scratch


@dataclass(frozen=True)
class Sampler:
    """Settings of a run, all explicit and recorded with the fit."""

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    target_accept: float = 0.98
    seed: int = 1

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def compile_model(model: "pm.Model") -> Any:
    """Compile a model; data and prior hyper-parameters can be exchanged afterwards with `.with_data`.

    Without fastmath: with it, code compiled now and the same code from the cache round differently, and a chain that
    differs in the last bit soon differs in everything, so the same seed would give two posteriors.
    """
    prepare_pytensor()
    import nutpie
    import pytensor

    check_pytensor()
    # Without a folder, every function leaves a file among the system's temporary ones.
    generated = pytensor.config.generated_src_dir or str(pytensor.config.base_compiledir / "generated")
    with pytensor.config.change_flags(numba__fastmath=False, generated_src_dir=generated):
        try:
            return nutpie.compile_pymc_model(model)
        except Exception:  # whatever broken files of PyTensor's cache raise; without any the error is the model's own
            if not remove_broken_of_pytensor():
                raise
            return nutpie.compile_pymc_model(model)


def draw(compiled: Any, sampler: Sampler) -> "xr.DataTree":
    """Draw from a compiled model; groups posterior and sample_stats, warm-up left out."""
    trace = _sample(compiled, sampler, save_warmup=False, progress_bar=sys.stderr.isatty())
    sizes = trace["posterior"].sizes
    _check_complete([sizes["draw"]] * sizes["chain"], sampler.chains, sampler.draws)
    return trace


def _check_complete(found: Sequence[int], chains: int, draws: int) -> None:
    """Raise unless there are so many chains of so many draws: what is cut off in warm-up may look converged."""
    if list(found) != [draws] * chains:
        made = ", ".join(map(str, found)) or "no"
        raise SamplingError(f"sampling ended early: {made} draws of the chains, and not {chains} times {draws}")


def _sample(compiled: Any, sampler: Sampler, **options: Any) -> Any:
    """All draws, or the exception that ended the wait for them.

    nutpie waits in a way that hands back the draws made so far when it is interrupted, as if they were all; so it
    samples in the background, and the wait is here.
    """
    import nutpie
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        background = nutpie.sample(
            compiled,
            draws=sampler.draws,
            tune=sampler.tune,
            chains=sampler.chains,
            cores=min(sampler.chains, os.cpu_count() or 1),
            seed=sampler.seed,
            target_accept=sampler.target_accept,
            blocking=False,
            **options,
        )
        try:
            return background.wait()
        except BaseException:
            background.cancel()
            raise


def draw_density(
    density: Any, expand: Any, packed: np.ndarray, start: np.ndarray, sampler: Sampler, **options: Any
) -> tuple[np.ndarray, "xr.Dataset"]:
    """Draw from a compiled log density.

    The density runs without Python between the steps, so chains run in parallel and nothing is compiled for a refit.

    Parameters
    ----------
    density, expand : numba CFunc
        With the signatures of nutpie's compiled models.
    packed : ndarray
        Data of the density, passed by address.
    start : ndarray, shape (d,) or (K, d)
        Chains start near it, or at some of them.
    options
        Of nutpie: how it adapts (`adaptation`), its first step (`initial_step`).

    Returns
    -------
    theta : ndarray, shape (chain, draw, d)
    sample_stats : Dataset
        `STATS` of every draw.

    Raises
    ------
    SamplingError
        Fewer draws than asked for.
    """
    prepare_pytensor()
    import pyarrow
    import xarray as xr
    from nutpie.compile_pymc import CompiledPyMCModel

    size = start.shape[-1]
    if size == 0:  # no scale is left: there is nothing to sample, and exact draws of coefficients are independent
        still = {name: (("chain", "draw"), np.zeros((sampler.chains, sampler.draws))) for name in STATS}
        return np.empty((sampler.chains, sampler.draws, 0)), xr.Dataset(still)

    def initial(seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        return start[random.integers(len(start))] if start.ndim == 2 else start + 0.1 * random.standard_normal(size)

    compiled = CompiledPyMCModel(
        dims={},
        compiled_logp_func=density,
        compiled_expand_func=expand,
        initial_point_func=initial,
        shared_data={},
        shared_var_keys={},
        user_data=packed,
        n_expanded=size,
        shape_info=(["theta"], [slice(0, size)], [(size,)]),
        logp_func=None,
        expand_func=None,
        _n_dim=size,
        _shapes={"theta": (size,)},
        _coords={},
    )
    # The raw trace: turning it into a tree takes longer than many a refit.
    raw = _sample(compiled, sampler, progress_bar=False, return_raw_trace=True, **options)
    draws, stats = raw.get_arrow_trace()
    for part in (draws, stats):
        _check_complete([chain.num_rows for chain in part], sampler.chains, sampler.tune + sampler.draws)
    last = slice(-sampler.draws, None)
    theta = [pyarrow.array(chain.column("theta")).flatten().to_numpy().reshape(-1, size)[last] for chain in draws]
    columns = {
        name: np.stack([pyarrow.array(chain.column(name)).to_numpy(zero_copy_only=False)[last] for chain in stats])
        for name in STATS
    }
    return np.stack(theta), xr.Dataset({name: (("chain", "draw"), values) for name, values in columns.items()})


def make_sampler(
    engine: str, draws: int, chains: int, seed: int, tune: int | None = None, target_accept: float | None = None
) -> Sampler:
    """Settings of a run, with the engine's defaults where none are given."""
    own = TARGET_ACCEPT if engine == "nuts" else COLLAPSED_TARGET_ACCEPT
    return Sampler(
        draws=draws,
        tune=(TUNE if engine == "nuts" else COLLAPSED_TUNE) if tune is None else tune,
        chains=chains,
        target_accept=own if target_accept is None else target_accept,
        seed=seed,
    )
