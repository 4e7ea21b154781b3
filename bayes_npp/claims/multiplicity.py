"""Several claims that groups differ, tested in one study: their p-values adjusted for each other."""

import numpy as np
import pandas as pd

from bayes_npp.claims.ledger import Ledger
from bayes_npp.frequentist.hypotheses.differences import holm


def differences_adjusted(ledger: Ledger | None) -> pd.DataFrame:
    """Claims about differences between groups' slopes that have a test, adjusted by Holm over all of them.

    Returns
    -------
    DataFrame
        claim, proposition, p_value (two-sided, of the claim's own test), p_holm.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6.
    """
    tested = [
        (record.claim.id, record.claim.proposition, record.test.p_value)
        for record in (ledger.records if ledger else ())
        if record.test is not None and record.claim.parsed.is_difference and not np.isnan(record.test.p_value)
    ]
    frame = pd.DataFrame(tested, columns=["claim", "proposition", "p_value"])
    return frame.assign(p_holm=holm(frame["p_value"].to_numpy(dtype=float)))
