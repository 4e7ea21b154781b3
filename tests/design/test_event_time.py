"""Names of leads and lags, and the periods they stand for."""

from bayes_npp.design.event_time import place_of


def test_places():
    assert [place_of(term, "x") for term in ("F2.x", "F1.x", "x", "L1.x", "L12.x")] == [-2, -1, 0, 1, 12]
    assert [place_of(term, "x") for term in ("c", "F1.c", "L.x", "Fx", "F1.x.y")] == [None] * 5
