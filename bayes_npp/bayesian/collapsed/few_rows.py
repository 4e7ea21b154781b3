"""Many units with slopes of their own as a few hundred rows with the same sums, where a unit's effects do not meet.

With one error scale and independent errors a unit's effects enter the density through sums over units of
f(g_i) c_i c_i', g_i the Gram of its column and c_i its products with all others, where f is 1 / (x + s), or its
integral, at some s > 0 that theta decides. A Gauss rule with poles has the same sums: positive weights at few nodes,
for all s at once. See docs/statistics.md, section 2.2.
"""

import numpy as np

POLES = (6, 10, 14, 20, 28)  # tried in turn
EXACT = 1e-11  # largest relative error of a sum that a rule may have
MANY = 500  # units, fewer of which are not worth it
APART = 1e-10  # a product of two effects' columns over that of their lengths: rounding


def few_rows(cross: np.ndarray, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Rows in place of units, and how many units' log determinants each carries; None where there are none.

    Parameters
    ----------
    cross : ndarray, shape (N, 1, q, P)
    gram : ndarray, shape (N, 1, q, q)
        Diagonal, or there are no such rows. Rows of one effect have nothing of the others, so that an effect without
        a prior SD, of which the density takes the logarithm, has none either.
    """
    n_units, n_pieces, q, size = cross.shape
    if n_units < MANY or n_pieces > 1:
        return None
    squares = np.einsum("imaa->ima", gram)
    off = gram - squares[..., None] * np.eye(q)
    if (np.abs(off) > APART * np.sqrt(squares[..., None] * squares[:, :, None])).any():
        return None
    rows, grams, counts = [], [], []
    for a in range(q):
        found = _of_one(cross[:, 0, a], gram[:, 0, a, a])
        if found is None:
            return None
        products, nodes, count = found
        own_cross, own_gram = np.zeros((len(nodes), 1, q, size)), np.zeros((len(nodes), 1, q, q))
        own_cross[:, 0, a], own_gram[:, 0, a, a] = products, nodes
        rows.append(own_cross)
        grams.append(own_gram)
        counts.append(count)
    if sum(map(len, counts)) > n_units / 2:
        return None
    return np.concatenate(rows), np.concatenate(grams), np.concatenate(counts)


def _of_one(cross: np.ndarray, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Products (R, P), nodes (R,) and weights (R,) of one effect, from those of units; None where no rule is exact."""
    some = gram > 1e-13 * gram.max()  # a unit whose column does not vary has no product with others, and no logarithm
    if not some.any():
        return None
    cross, gram = cross[some], gram[some]
    vectors = np.column_stack([cross, np.ones(len(cross))])
    scale = np.abs(vectors).max(axis=0)
    scale[scale == 0.0] = 1.0
    vectors = vectors / scale
    shifts = np.geomspace(1e-3 * gram.min(), 1e3 * gram.max(), 25)
    for poles in (0, *POLES):
        nodes, values = gauss_rule(gram, vectors, np.geomspace(gram.min() / 3, 3 * gram.max(), poles))
        if _error(gram, vectors, nodes, values, shifts) < EXACT:
            values = values * scale
            return values[:, :-1], nodes, values[:, -1] ** 2
    return None


def gauss_rule(at: np.ndarray, vectors: np.ndarray, poles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (R,) and values (R, P) with sum f(node) value value' = sum f(at_i) v_i v_i' for f of a rational space.

    Of f = 1, x, 1 / (x + s) and 1 / (x + s)^2 at every pole s: Rayleigh-Ritz values on the rational Krylov space.

    Parameters
    ----------
    at : (N,);  vectors : (N, P);  poles : (K,), positive

    References
    ----------
    Guettel (2013), GAMM-Mitteilungen 36: rational Krylov approximation of matrix functions, sections 3 and 4.
    """
    basis = np.empty((len(at), 0))
    for own in (vectors, *(vectors / (at + pole)[:, None] for pole in poles)):
        new = own / np.linalg.norm(own, axis=0).clip(1e-300)
        for _ in range(2):  # once more, for rounding
            new = new - basis @ (basis.T @ new)
        left, sizes, _ = np.linalg.svd(new, full_matrices=False)
        left = left[:, sizes > 1e-13]
        left = left - basis @ (basis.T @ left)
        basis = np.column_stack([basis, np.linalg.qr(left)[0]])
    nodes, turned = np.linalg.eigh(basis.T @ (at[:, None] * basis))
    return nodes, turned.T @ (basis.T @ vectors)


def _error(at: np.ndarray, vectors: np.ndarray, nodes: np.ndarray, values: np.ndarray, shifts: np.ndarray) -> float:
    """Largest relative error over shifts s of the sums of 1 / (1 + x / s), and of its log, x s over itself or more."""
    worst = 0.0
    for shift in shifts:
        exact = vectors.T @ (vectors / (1.0 + at / shift)[:, None])
        found = values.T @ (values / (1.0 + nodes / shift)[:, None])
        sizes = np.sqrt(np.diag(exact))
        worst = max(worst, float((np.abs(found - exact) / np.outer(sizes, sizes).clip(1e-300)).max()))
        logs = np.log1p(at / shift).sum()
        worst = max(worst, abs(float(values[:, -1] ** 2 @ np.log1p(nodes / shift)) - logs) / logs)
    return worst
