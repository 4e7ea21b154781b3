"""The claims of a study, declared: propositions about estimands, and the rules of the ledger."""

from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, model_validator

from bayes_npp.design.propositions import Proposition, parse_proposition
from bayes_npp.errors import SpecError
from bayes_npp.records import Record


class Claim(Record):
    """A [[claim]] table.

    Attributes
    ----------
    id : str
        Unique.
    text : str
        What the paper says.
    proposition : str
        What it comes to, such as "slope[East] > slope[West]"; see `propositions`.
    model : str
        The hierarchical or mediation model that answers.
    published : str
        What the column `claim` of published.csv calls the claim's rows; its id if empty.
    smallest_effect : float, optional
        The smallest distance from the proposition's number that would matter, in the data's units. Without it no claim
        is called negligible: a value that nobody declared must not decide.
    text_zh : str
        The same in Chinese.
    effects : tuple of float
        Plausible true sizes of what the proposition is about, in the data's units, for type S and M risks.
    """

    id: Annotated[str, Field(min_length=1)]
    text: Annotated[str, Field(min_length=1)]
    proposition: str
    model: str
    published: str = ""
    smallest_effect: Annotated[float, Field(gt=0)] | None = None
    effects: tuple[float, ...] = ()
    text_zh: str = ""

    @model_validator(mode="before")
    @classmethod
    def _reads(cls, data: Any) -> Any:
        if isinstance(data, dict) and "equivalence" in data:
            raise SpecError(
                "'equivalence' is now 'smallest_effect': what distance from the claim's number would matter",
                fix="Rename the key; a claim whose posterior lies within it is called negligible",
            )
        if isinstance(data, dict) and isinstance(data.get("proposition"), str):
            parse_proposition(data["proposition"])
        return data

    @model_validator(mode="after")
    def _effects_are_sizes(self) -> "Claim":
        if any(not effect > 0 for effect in self.effects):
            raise SpecError("effects must be positive sizes", fix="Give sizes such as effects = [0.05, 0.1, 0.2]")
        return self

    @cached_property
    def parsed(self) -> Proposition:
        return parse_proposition(self.proposition)


class ClaimRules(Record):
    """The [claims] table: at which posterior probabilities a claim is supported or contradicted, over which priors."""

    support: Annotated[float, Field(gt=0.5, lt=1)] = 0.975
    contradict: Annotated[float, Field(gt=0, lt=1)] = 0.025
    grid: str = "default"

    @model_validator(mode="after")
    def _thresholds_agree(self) -> "ClaimRules":
        if self.contradict >= 0.5 or self.contradict >= self.support:
            raise SpecError(
                f"thresholds contradict each other: contradict = {self.contradict:g}, support = {self.support:g}",
                fix="Choose contradict below 0.5 and support above it",
            )
        return self
