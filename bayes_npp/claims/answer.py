"""The ledger of claims: each proposition of a study under everything that could change the answer."""

from collections.abc import Sequence

from bayes_npp.analysis.progress import Progress
from bayes_npp.analysis.records import FitRecord, Ladder, MeasurementRecord
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.claims.ledger import ClaimRecord, Ledger
from bayes_npp.claims.paths import about_paths
from bayes_npp.claims.slopes import about_slopes
from bayes_npp.errors import SpecError
from bayes_npp.estimates import Estimates
from bayes_npp.study.claims import Claim
from bayes_npp.study.models import HierarchicalModel, MediationModel
from bayes_npp.study.study import Study


def answer_claims(
    study: Study,
    estimates: Estimates,
    ladders: Sequence[Ladder],
    records: Sequence[FitRecord],
    measured: Sequence[MeasurementRecord],
    settings: RunSettings,
    progress: Progress,
) -> Ledger | None:
    """Answer every claim of a study; None without claims.

    Parameters
    ----------
    estimates : Estimates
        Of the run, for the tests of paths.
    ladders, records : sequences
        Error models chosen, and every fit's checks.
    measured : sequence of MeasurementRecord
    """
    if not study.claims:
        return None
    found: dict[str, ClaimRecord] = {}
    sensitivities, curves = {}, {}
    by_model = {claim.model: [other for other in study.claims if other.model == claim.model] for claim in study.claims}
    for name, own in progress.track("claims", list(by_model.items()), _named):
        model = study.model(name)
        if isinstance(model, MediationModel):
            answers = about_paths(study, model, own, estimates, settings)
        else:
            if not isinstance(model, HierarchicalModel):
                raise SpecError(f"no claim is answered by model '{name}'", fix="See bayes-npp check")
            answers, sensitivities[name], curves[name] = about_slopes(
                study, model, own, ladders, records, measured, settings
            )
        found.update({record.claim.id: record for record in answers})
    ordered = tuple(found[claim.id] for claim in study.claims)
    return Ledger(study.claim_rules, ordered, sensitivities, curves)


def _named(one: tuple[str, list[Claim]]) -> str:
    return f"{one[0]}: {', '.join(claim.id for claim in one[1])}"
