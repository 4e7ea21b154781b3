"""Loops in parts: every draw once, and one part in a thread that shares the cores with others."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bayes_npp.bayesian.collapsed import parts


@pytest.mark.parametrize("work", [1, parts.PARALLEL_ABOVE + 1])
def test_every_draw_is_done_once(work, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    done = np.zeros(10, dtype=int)

    def fill(some):
        done[some] += 1

    parts.in_parts(fill, 10, work)
    assert done.tolist() == [1] * 10


def test_a_worker_of_many_keeps_to_its_thread(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    found = []
    parts.in_parts(found.append, 8, parts.PARALLEL_ABOVE + 1)
    assert len(found) == 4
    found.clear()
    with ThreadPoolExecutor(1, initializer=parts.alone) as pool:
        pool.submit(parts.in_parts, found.append, 8, parts.PARALLEL_ABOVE + 1).result()
    assert found == [slice(None)]


def test_blas_has_one_thread_under_parts_and_its_own_after():
    def threads() -> set[int]:
        return {library["num_threads"] for library in parts.blas().info() if library["user_api"] == "blas"}

    before, inside = threads(), []
    assert before
    parts.in_parts(lambda _: inside.append(threads()), 8, parts.PARALLEL_ABOVE + 1)
    assert all(found == {1} for found in inside)
    assert threads() == before
