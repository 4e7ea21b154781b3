"""`commands.collecting`: the collector of garbage waits during a command, and is as it was afterwards."""

import gc

import pytest

from bayes_npp.commands.collecting import SELDOM, seldom_collected


@pytest.mark.parametrize(("before", "during"), [(700, SELDOM), (0, 0), (2 * SELDOM, 2 * SELDOM)])
def test_the_collector_is_as_it_was_also_after_an_error(before, during):
    """A threshold of zero is a collector that somebody has switched off."""
    kept = gc.get_threshold()
    gc.set_threshold(before, 10, 10)

    @seldom_collected()
    def fails():
        assert gc.get_threshold() == (during, 10, 10)
        raise KeyError

    try:
        with pytest.raises(KeyError):
            fails()
        assert gc.get_threshold() == (before, 10, 10)
    finally:
        gc.set_threshold(*kept)
