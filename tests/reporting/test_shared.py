"""Calls shared with a second process (`base.shared`): what comes back is what they give here, errors included."""

import os
import time

import pytest

from bayes_npp.errors import OutputError
from bayes_npp.reporting.base import shared as shared_module
from bayes_npp.reporting.base.shared import Shared, second_process, serve
from bayes_npp.store import write_text, write_whole


@pytest.fixture(params=[0, 20, None], ids=["two", "two later", "one"])
def shared(request, monkeypatch):
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2)
    with Shared(after=request.param) as own:
        yield own


def test_calls_give_what_they_give_here(shared):
    calls = [shared.give(divmod, number, 7) for number in range(200)]
    shared.finish()
    assert [call.result for call in calls] == [divmod(number, 7) for number in range(200)]


def test_an_error_is_raised_here_as_it_always_was(shared, tmp_path):
    (tmp_path / "file").write_text("")
    shared.give(write_text, tmp_path / "file" / "below", "text")
    with pytest.raises(OutputError, match="cannot write here"):
        shared.finish()


def test_what_cannot_travel_is_done_here(shared):
    assert shared.give(lambda: 5).result == 5


def test_a_second_process_makes_calls_and_is_gone_afterwards(monkeypatch):
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2)
    with Shared() as shared:
        process = shared.process
        call = shared.give(os.getpid)
        assert call.elsewhere.result(60) == call.result == process.pid != os.getpid()
        print_call = shared.give(os.write, 1, b"no answer")
        assert print_call.result == 9
        assert shared.give(os.getpid).elsewhere.result(60) == process.pid
    assert process.returncode is not None


def test_calls_survive_the_end_of_the_second_process(monkeypatch):
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2)
    with Shared() as shared:
        shared.process.kill()
        calls = [shared.give(divmod, number, 7) for number in range(20)]
        shared.finish()
        assert [call.result for call in calls] == [divmod(number, 7) for number in range(20)]


def write_slowly(path):
    write_whole(path, lambda temporary: (temporary.write_text("half"), time.sleep(60)))


def test_an_interrupt_ends_both_at_once_and_leaves_no_half_file(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2)
    shared = Shared()
    shared.give(write_slowly, tmp_path / "file")
    shared.give(write_slowly, tmp_path / "other")
    started = time.monotonic()
    while not list(tmp_path.iterdir()) and time.monotonic() - started < 60:
        time.sleep(0.01)
    interrupted = time.monotonic()
    shared.__exit__(KeyboardInterrupt)
    assert time.monotonic() - interrupted < 30
    assert shared.process.returncode is not None
    assert list(tmp_path.iterdir()) == []


def test_one_core_starts_no_second_process(monkeypatch):
    monkeypatch.setattr(os, "process_cpu_count", lambda: 1)
    with Shared() as shared:
        assert shared.process is None
        assert shared.give(serve.__name__.upper).result == "SERVE"


def test_a_process_that_was_started_before_takes_every_call_and_is_gone_if_nobody_takes_it(monkeypatch):
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2)
    with second_process("colorsys", "no_such_module"):
        with Shared(after=1000) as shared:
            process = shared.process
            loaded = shared.give(eval, "'colorsys' in __import__('sys').modules")
            assert loaded.elsewhere.result(60) is True
        assert process.returncode is not None
    with second_process() as _, Shared(after=None) as other:
        assert other.process is None
        (waiting,) = shared_module.started_early
    assert waiting.returncode is not None
    assert shared_module.started_early == []


def test_few_calls_start_no_second_process(monkeypatch):
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2)
    with Shared(after=3) as shared:
        for _ in range(3):
            shared.give(os.getpid)
        assert shared.process is None
        assert shared.give(os.getpid).elsewhere.result(60) == shared.process.pid
