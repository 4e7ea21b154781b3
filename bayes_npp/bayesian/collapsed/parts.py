"""Compiled loops over draws, in as many parts as there are cores."""

import itertools
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

PARALLEL_ABOVE = 1.2e6  # nanoseconds of work, of which threads cost a quarter
_thread = threading.local()


def alone() -> None:
    """Make this thread one of many that already share the cores: its loops stay in one part."""
    _thread.alone = True


def in_parts(fill: Callable[[slice], None], size: int, work: float) -> None:
    """Run a loop over `size` draws that do not depend on each other; in parts, where the work is worth threads.

    `work` is in nanoseconds of one core, roughly.
    """
    threads = os.cpu_count() or 1
    if work <= PARALLEL_ABOVE or threads == 1 or getattr(_thread, "alone", False):
        fill(slice(None))
        return
    from concurrent.futures import ThreadPoolExecutor

    bounds = np.linspace(0, size, threads + 1).astype(int)
    # Threads of BLAS under these would wait for each other: minutes in place of seconds.
    with blas().limit(limits=1), ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, [slice(a, b) for a, b in itertools.pairwise(bounds)]))


@cache
def blas() -> "ThreadpoolController":
    """The libraries of this process that have threads, looked for once, which takes longer than many a loop."""
    import scipy.linalg  # noqa: F401  # whose BLAS compiled loops call
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
