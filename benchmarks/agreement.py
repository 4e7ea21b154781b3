"""Rank histograms of both engines on the default model: docs/agreement.png and the table beside it.

If two samplers draw from one posterior, the ranks of either's draws among the pooled draws are uniform.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from run import default_design
from scipy import stats

from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler

mpl.use("Agg")
ROOT = Path(__file__).parents[1]
BINS = 20
DRAWS = 2000
NAMES = ("group_slope", "slope_sd", "unit_sd", "time_sd", "error_sd")


def main() -> None:
    from matplotlib.figure import Figure

    design, priors = default_design()
    fits = {e: fit_design(design, priors, make_sampler(e, DRAWS, 4, 5), e) for e in ("collapsed", "nuts")}
    columns = {}
    for name in NAMES:
        both = [fits[e].tree["posterior"][name].to_numpy().reshape(4 * DRAWS, -1) for e in fits]
        for j in range(both[0].shape[1]):
            label = f"slope, {design.groups[j]}" if name == "group_slope" else name.replace("_", " ")
            columns[label] = [side[::4, j] for side in both]  # thinned: nearly independent
    figure = Figure(figsize=(10, 4.6))
    axes = figure.subplots(2, 4, sharey=True)
    rows = []
    for axis, (label, sides) in zip(axes.flat, columns.items(), strict=True):
        ranks = stats.rankdata(np.concatenate(sides)).reshape(2, -1)
        edges = np.linspace(0, ranks.size, BINS + 1)
        expected = ranks.shape[1] / BINS
        for side, (engine, colour) in enumerate((("collapsed", "#1d4e89"), ("full", "#c8553d"))):
            counts = np.histogram(ranks[side], edges)[0]
            axis.stairs(counts, np.linspace(0, 1, BINS + 1), color=colour, label=engine, linewidth=1.6)
            rows += [(label, engine, b + 1, int(count)) for b, count in enumerate(counts)]
        low, high = stats.binom.ppf([0.025, 0.975], ranks.shape[1], 1 / BINS)
        axis.axhspan(low, high, color="#dddddd", zorder=0)
        axis.axhline(expected, color="#888888", linewidth=0.6)
        axis.set_title(label, fontsize=10)
        axis.set_ylim(0, 1.6 * expected)
    axes[0, 0].legend(frameon=False, fontsize=8)
    figure.supxlabel("rank among the draws of both engines (share)", fontsize=9)
    figure.supylabel("draws per bin; band: 95 % if ranks are uniform", fontsize=9)
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "agreement.png", dpi=110)
    table = pd.DataFrame(rows, columns=["parameter", "engine", "bin", "draws"])
    table.to_csv(ROOT / "docs" / "agreement.csv", index=False)
    print("divergences", {engine: fit.diagnostics.divergences for engine, fit in fits.items()})


if __name__ == "__main__":
    main()
