"""What is known of each claim of a study: the records that tables, figures and sentences render."""

from dataclasses import dataclass

import pandas as pd

from bayes_npp.bayesian.comparison.homogeneity import Homogeneity
from bayes_npp.bayesian.sensitivity.reverse_bayes import Scepticism
from bayes_npp.bayesian.sensitivity.sensitivity import MEASURES, Sensitivity
from bayes_npp.claims.evidence import DesignRisks
from bayes_npp.claims.verdicts import Verdict
from bayes_npp.frequentist.hypotheses.proposition import PropositionTest
from bayes_npp.study.claims import Claim, ClaimRules


@dataclass(frozen=True)
class ClaimRecord:
    """Everything known of one claim.

    Attributes
    ----------
    claim : Claim
    printed : DataFrame
        The paper's rows with the claim's id.
    model, errors : str
        What answers: the model as declared, or with the errors that the checks ask for.
    estimate, lo, hi : float
        Posterior mean and 95 % equal-tailed interval of what the proposition compares with its number.
    probability : float
        Of the proposition.
    within : float, optional
        Probability that the distance from its number is below the smallest effect that was declared.
    test : PropositionTest, optional
        The frequentist test of the proposition; `no_test` says why there is none.
    variants : DataFrame
        kind (priors, measurement, specification, errors), variant, probability; NaN where there is none, with the
        reason; within, differ and counted as in `verdicts.Seen`.
    conflict : str
        Priors that power-scaling flags as in conflict with the data.
    scepticism : Scepticism, optional
        Of propositions about slopes.
    homogeneity : Homogeneity, optional
        Where the claim says that slopes differ.
    risks : tuple of (effect, DesignRisks)
        Of the frequentist test, by plausible true effect.
    verdict : Verdict
    quantiles : tuple of float
        Values of what the proposition compares with its number that its posterior holds equally likely (40).
    mcse : float
        Monte Carlo error of the probability.
    """

    claim: Claim
    printed: pd.DataFrame
    model: str
    errors: str
    estimate: float
    lo: float
    hi: float
    probability: float
    within: float | None
    test: PropositionTest | None
    no_test: str
    variants: pd.DataFrame
    conflict: str
    scepticism: Scepticism | None
    homogeneity: Homogeneity | None
    risks: tuple[tuple[float, DesignRisks], ...]
    verdict: Verdict
    quantiles: tuple[float, ...] = ()
    mcse: float = float("nan")

    @property
    def name(self) -> str:
        """Id and proposition."""
        return f"{self.claim.id}: {self.claim.parsed}"

    @property
    def lowest(self) -> float:
        return min([self.probability, *self.variants["probability"].dropna()])

    @property
    def highest(self) -> float:
        return max([self.probability, *self.variants["probability"].dropna()])

    def varied(self, kind: str) -> int:
        """How many variants of a kind have a probability."""
        own = self.variants[self.variants["kind"] == kind]
        return int(own["probability"].notna().sum())

    @property
    def unanswered(self) -> pd.DataFrame:
        """The variants without a probability, and why."""
        return self.variants.loc[self.variants["reason"] != "", ["kind", "variant", "reason"]]


@dataclass(frozen=True)
class Ledger:
    """The claims of a study, and the sensitivity analyses they rest on, by model.

    Attributes
    ----------
    rules : ClaimRules
    records : tuple of ClaimRecord
        In the order of the study.
    sensitivities : dict of Sensitivity
        Of hierarchical models.
    curves : dict of DataFrame
        `specification_curve` of hierarchical models.
    """

    rules: ClaimRules
    records: tuple[ClaimRecord, ...]
    sensitivities: dict[str, Sensitivity]
    curves: dict[str, pd.DataFrame]

    def frame(self) -> pd.DataFrame:
        """The rows of claims.csv."""
        rows = [
            {
                "id": record.claim.id,
                "text": record.claim.text,
                "proposition": record.claim.proposition,
                "frequentist_p": None if record.test is None else record.test.p_value,
                "probability": record.probability,
                "lowest": record.lowest,
                "highest": record.highest,
                "verdict": record.verdict.name,
                "because": "; ".join(record.verdict.because),
                "smallest_effect": record.claim.smallest_effect,
                "p_negligible": record.within,
                "answer_line": record.verdict.answer_line,
                "verdict_line": record.verdict.line,
                "model": record.model,
                "errors": record.errors,
                "estimate": record.estimate,
                "lo": record.lo,
                "hi": record.hi,
                "test_estimate": None if record.test is None else record.test.estimate,
                "test_se": None if record.test is None else record.test.se,
                "test_lo": None if record.test is None else record.test.lo,
                "test_hi": None if record.test is None else record.test.hi,
            }
            for record in self.records
        ]
        return pd.DataFrame(rows)

    def lowest_by_priors(self, model: str) -> pd.DataFrame:
        """Lowest and highest probability of each proposition over all cells that share the first two axes' priors.

        Columns: proposition, the priors of the first two axes of the grid, lowest, highest.
        """
        grid = self.sensitivities[model].grid
        axes = [c for c in grid if c not in ("cell", "proposition", *MEASURES)]
        keys = ["proposition", *axes[:2]]
        return grid.groupby(keys, sort=False)["probability"].agg(lowest="min", highest="max").reset_index()

    def sensitivity_rows(self) -> pd.DataFrame:
        """Rows of sensitivity.csv: priors through the models' analyses, measures and samples through the claims."""
        parts = []
        for record in self.records:
            shown = record.variants[record.variants["kind"] != "priors"]
            if record.claim.model not in self.sensitivities:
                shown = record.variants
            own = {"claim": record.name, "kind": shown["kind"], "variant": shown["variant"]}
            asked = "no probability: " + shown["reason"]
            quantity = asked.where(shown["reason"] != "", "probability")
            parts.append(pd.DataFrame({**own, "quantity": quantity, "value": shown["probability"]}))
        for model, answers in self.sensitivities.items():
            names = {str(r.claim.parsed): r.name for r in self.records if r.claim.model == model}
            parts.append(answers.rows(names))
        return pd.concat(parts, ignore_index=True)
