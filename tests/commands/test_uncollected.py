"""`commands.uncollected`: the collector of garbage waits for a command, and is as it was afterwards."""

import gc

import pytest

from bayes_npp.commands.uncollected import uncollected


@pytest.mark.parametrize("before", [True, False])
def test_the_collector_is_as_it_was_also_after_an_error(before):
    @uncollected()
    def fails():
        assert not gc.isenabled()
        raise KeyError

    kept = gc.isenabled()
    (gc.enable if before else gc.disable)()
    try:
        with pytest.raises(KeyError):
            fails()
        assert gc.isenabled() is before
    finally:
        (gc.enable if kept else gc.disable)()
