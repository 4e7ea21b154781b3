"""A command that ends soon seldom looks for garbage: as often as usual it would take a tenth of its time."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = 1_000_000  # new objects in containers after which it looks; a page makes a few times as many


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Objects that refer to each other in a circle stay in memory for longer, but not until the end."""
    before = gc.get_threshold()
    gc.set_threshold(max(SELDOM, before[0]) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()  # what there is counts as old now: else all of it would be looked through at once
        gc.set_threshold(*before)
