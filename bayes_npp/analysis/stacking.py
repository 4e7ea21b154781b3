"""Error models and ways to pool of every ladder by predictive accuracy, with stacking weights."""

from collections.abc import Iterator, Sequence

import pandas as pd

from bayes_npp.analysis.records import Ladder
from bayes_npp.bayesian.comparison.scores import COLUMNS, Accuracy, comparison_table

ERRORS = "errors"  # the part of a ladder that its error models are


def ladder_accuracy(ladders: Sequence[Ladder]) -> pd.DataFrame:
    """How well each rung predicts what it has not seen: within what it varies and what is left out, best first.

    Returns
    -------
    DataFrame
        ladder (the declared model), part (slopes, units, periods, errors), the columns of `scores.comparison_table`,
        among them the stacking weight, and whether the score is defined.

    Raises
    ------
    SpecError
        Scores of different data.
    """
    names = ["ladder", "part", *COLUMNS, "defined"]
    frames = []
    for ladder in ladders:
        for part, scores in _compared(ladder):
            table = comparison_table(scores)
            defined = [scores[name].defined for name in table["model"]]
            frames.append(table.assign(ladder=ladder.model, part=part, defined=defined)[names])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)


def _compared(ladder: Ladder) -> Iterator[tuple[str, dict[str, Accuracy]]]:
    """What is varied, and scores by one method of what it is."""
    for part in dict.fromkeys(rung.part for rung in ladder.pooling):
        own = [rung for rung in ladder.pooling if rung.part == part]
        for method in dict.fromkeys(score.method for rung in own for score in rung.scores):
            yield part, {rung.label: score for rung in own for score in rung.scores if score.method == method}
    yield ERRORS, ladder.errors.unit_scores
