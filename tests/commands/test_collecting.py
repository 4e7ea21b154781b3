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


def test_what_was_made_is_not_looked_through_when_it_ends():
    young = []

    def begun(phase, info):
        if phase == "start":
            young.append(len(gc.get_objects(generation=0)))

    with seldom_collected():
        made = [[number] for number in range(100_000)]
        gc.callbacks.append(begun)
    try:
        later = [[number] for number in range(gc.get_threshold()[0] + 10)]
    finally:
        gc.callbacks.remove(begun)
    assert len(made) + len(later) > 100_000
    assert young
    assert max(young) < 50_000
    assert gc.get_freeze_count() == 0
