"""The packed array holds what was packed: `kernel.unpack` gives the same records, whatever their sizes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.packed import Layout, Priors, Products, pack


@st.composite
def records(draw):
    """Records with distinct random numbers in every place, so that no two can be exchanged unseen."""
    few = st.integers(0, 3)
    scales, rows, q, p, kept, n_gaps, d = (draw(s) for s in (st.integers(1, 3), few, few, few, few, few, few))
    pieces, size = 1 + 3 * n_gaps, p + kept + 1
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    reals = random.standard_normal

    def codes(*shape):
        return random.integers(kernel.FLAT_SD, 10**12, shape)

    total = reals((scales, pieces, size, size))
    products = Products(
        *(total + np.swapaxes(total, 2, 3), reals((rows, pieces, q, size)), reals((rows, pieces, q, q)), reals(rows)),
        *(codes(rows), reals(scales), float(reals()), codes(n_gaps), reals(n_gaps)),
    )
    layout = Layout(codes(p), reals(p), codes(kept), codes(q), *(int(code) for code in codes(6)))
    priors = Priors(codes(d), codes(d), reals((d, 3)), reals(d), reals(d), reals(d))
    return products, layout, priors


@settings(max_examples=60, deadline=None)
@given(records())
def test_unpacking_undoes_packing(given_records):
    products, layout, priors = given_records
    packed = pack(products, layout, priors)
    assert packed[0] == len(packed)
    upper = (..., *np.triu_indices(products.total.shape[-1]))
    expected = (products._replace(total=products.total[upper]), layout, priors)
    for own, found in zip(expected, kernel.unpack(packed), strict=True):
        for name, value, back in zip(own._fields, own, found, strict=True):
            np.testing.assert_array_equal(back, value, err_msg=name)
