"""Sums over draws of what is asked of an intercept and a slope of each unit, compiled.

It calls nothing compiled elsewhere, so that numba's cache, which looks at this file, sees every change.
"""

import math

from numba import njit

from bayes_npp.bayesian.model.caches import prepare_numba

prepare_numba(__file__)


@njit(cache=True, nogil=True, error_model="numpy")
def summarise_pairs(weight, factor, crossed, gram, normals, added, square, sums):
    """Sums over draws of what is asked of two effects a unit; the effects are those of `draw_unit_effects`.

    Parameters
    ----------
    weight : (S,) error precision;  factor : (S, 2, 2), of `effect_factor`
    crossed : (S, N, 2) products of the effects' columns with the error;  gram : (N, 2, 2);  normals : (S, N, 2)
    added : (S, N), to the second effect
    square : (S,), filled with the sum over units of the change in e'e by the effects
    sums : (N, 3, 3), filled for each effect, and for the second with what is added: sums of conditional means less
    that of the first draw, sums of their squares and of conditional variances, the first draw's mean
    """
    n_units = len(gram)
    sums[:] = 0.0
    for s in range(len(weight)):
        w, t11, t21, t22 = weight[s], factor[s, 0, 0], factor[s, 1, 0], factor[s, 1, 1]
        total = 0.0
        for i in range(n_units):
            g11, g21, g22 = gram[i, 0, 0], gram[i, 1, 0], gram[i, 1, 1]
            c1, c2 = crossed[s, i, 0], crossed[s, i, 1]
            # T'BT + 1 = U'U
            lower = w * t22 * (g21 * t11 + g22 * t21)
            u11 = math.sqrt(1.0 + w * (t11 * (g11 * t11 + g21 * t21) + t21 * (g21 * t11 + g22 * t21)))
            u12 = lower / u11
            u22 = math.sqrt(1.0 + w * t22 * g22 * t22 - u12 * u12)
            half1 = w * (t11 * c1 + t21 * c2) / u11
            half2 = (w * t22 * c2 - u12 * half1) / u22
            # T U^-1, whose squares are the conditional variances
            r11, r12 = t11 / u11, -t11 * u12 / (u11 * u22)
            r21, r22 = t21 / u11, (t22 - t21 * u12 / u11) / u22
            m1, m2 = r11 * half1 + r12 * half2, r21 * half1 + r22 * half2
            z1, z2 = normals[s, i, 0], normals[s, i, 1]
            a1, a2 = m1 + r11 * z1 + r12 * z2, m2 + r21 * z1 + r22 * z2
            total += a1 * (g11 * a1 - 2.0 * c1) + a2 * (g22 * a2 + 2.0 * g21 * a1 - 2.0 * c2)
            m3 = m2 + added[s, i]
            own = sums[i]
            if s == 0:
                own[0, 2], own[1, 2], own[2, 2] = m1, m2, m3
            m1, m2, m3 = m1 - own[0, 2], m2 - own[1, 2], m3 - own[2, 2]
            own[0, 0] += m1
            own[0, 1] += m1 * m1 + r11 * r11 + r12 * r12
            own[1, 0] += m2
            own[1, 1] += m2 * m2 + r21 * r21 + r22 * r22
            own[2, 0] += m3
            own[2, 1] += m3 * m3 + r21 * r21 + r22 * r22
        square[s] = total
