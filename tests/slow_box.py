"""Slow tests in a box of time: which still fit, in what order, a second attempt with other seeds.

A plugin of pytest, registered by `conftest.py`. `--slow-box MINUTES` opens the box: tests are rotated by the commit's
hash, so that a box too small for all of them holds others after the next commit, and a slow test that would end after
the box closes is skipped with the reason "box full". `@pytest.mark.slow(minutes=5)` is what a test takes on two cores.
"""

import math
import signal
import subprocess
import time

import pytest
from _pytest.runner import runtestprotocol

MINUTES = 2.0  # of a slow test that does not say
MOST = 10.0  # minutes of any slow test
BOX_FULL = "box full"
SECOND = 1_000_000  # added to every seed in a second attempt
DEADLINE = pytest.StashKey[float]()
ATTEMPT = pytest.StashKey[int]()


def pytest_addoption(parser):
    parser.addoption("--slow-box", type=float, metavar="MINUTES", help="skip slow tests that would end after this time")


def pytest_configure(config):
    minutes = config.getoption("slow_box")
    own = math.inf if minutes is None else time.time() + 60 * minutes
    config.stash[DEADLINE] = getattr(config, "workerinput", {}).get("deadline", own)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Tell a worker of xdist when the box closes."""
    node.workerinput["deadline"] = node.config.stash[DEADLINE]


def commit(folder):
    """The commit's hash; zero outside a repository."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "0"


def rotated(items, commit):
    """The same items from another one on, which the hash chooses."""
    start = int(commit, 16) % len(items) if items else 0
    return items[start:] + items[:start]


@pytest.hookimpl(trylast=True)  # once the tests of other lanes are deselected
def pytest_collection_modifyitems(config, items):
    if config.getoption("slow_box") is not None:
        items[:] = rotated(items, commit(config.rootpath))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    slow = item.get_closest_marker("slow")
    if slow and time.time() + 60 * slow.kwargs.get("minutes", MINUTES) > item.config.stash[DEADLINE]:
        pytest.skip(BOX_FULL)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Run a slow test that fails once more, with other seeds; report the last attempt."""
    if not item.get_closest_marker("slow"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = attempt(item, nextitem)
    if any(report.failed for report in reports):
        item.stash[ATTEMPT] = 2
        reports = attempt(item, nextitem)
        for report in reports:
            report.user_properties.append(("attempt", 2))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def attempt(item, nextitem):
    """Reports of one attempt, which fails at ten minutes."""

    def too_long(*_):
        pytest.fail(f"over {MOST:g} minutes")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, 60 * MOST)
    try:
        return runtestprotocol(item, nextitem=nextitem, log=False)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def seed(request):
    """Added to the seeds of a statistical test: 0, and a million when a slow test runs once more."""
    return SECOND if request.node.stash.get(ATTEMPT, 1) == 2 else 0


def pytest_terminal_summary(terminalreporter, config):
    stats = terminalreporter.stats
    again = [r.nodeid for r in stats.get("passed", ()) if r.when == "call" and ("attempt", 2) in r.user_properties]
    for nodeid in again:
        terminalreporter.line(f"passed at its second attempt: {nodeid}")
    if config.getoption("slow_box") is not None:
        full = sum(isinstance(r.longrepr, tuple) and BOX_FULL in r.longrepr[-1] for r in stats.get("skipped", ()))
        terminalreporter.line(
            f"{BOX_FULL}: {full} slow tests did not fit into {config.getoption('slow_box'):g} minutes"
        )
