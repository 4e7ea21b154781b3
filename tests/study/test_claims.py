"""Claims as declared, and the rules of the ledger."""

import pytest

from bayes_npp.claims.entry import printed_rows
from bayes_npp.claims.verdicts import SUPPORTED, Known, Seen, verdict
from bayes_npp.errors import SpecError
from bayes_npp.study.claims import Claim, ClaimRules
from bayes_npp.study.study import load_study
from tests.conftest import ROOT


def test_thresholds_that_contradict_each_other():
    with pytest.raises(SpecError, match="thresholds contradict each other"):
        ClaimRules(support=0.8, contradict=0.9)
    with pytest.raises(SpecError, match="support"):
        ClaimRules(support=1.5)
    own = verdict(Known(Seen(0.85)), support=0.8, contradict=0.1)
    assert own.name == SUPPORTED


def test_bad_claims():
    given_ = {"id": "H1", "text": "x raises y", "model": "m"}
    with pytest.raises(SpecError, match="is no proposition"):
        Claim(**given_, proposition="x raises y")
    with pytest.raises(SpecError, match="positive sizes"):
        Claim(**given_, proposition="average_slope > 0", effects=(0.1, 0.0))
    with pytest.raises(SpecError, match="smallest_effect"):
        Claim(**given_, proposition="average_slope > 0", smallest_effect=-1.0)
    with pytest.raises(SpecError, match="'equivalence' is now 'smallest_effect'") as found:
        Claim(**given_, proposition="average_slope > 0", equivalence=0.1)
    assert "Rename the key" in str(found.value)


def test_claims_of_their_own_name_find_the_rows_they_share():
    study = load_study(ROOT / "models" / "digital_trade")
    assert len({claim.id for claim in study.claims}) == len(study.claims)
    rows = {claim.id: printed_rows(study, claim) for claim in study.claims}
    assert set(rows["H1"]["claim"]) == {"H1"}  # its id, where nothing else is said
    regional = [claim for claim in study.claims if claim.published == "region"]
    assert len(regional) == 4
    for claim in regional:
        assert set(rows[claim.id]["claim"]) == {"region"}
        assert set(rows[claim.id]["term"]) == {study.roles.exposure}
        assert len(rows[claim.id]) == 4  # one of every region
