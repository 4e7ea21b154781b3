"""Interrupts of a command: listened to, answered once, and never lost in a library."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALLED = 128  # and the signal's number: 130 for SIGINT, 143 for SIGTERM
GRACE = 10.0  # seconds that an interrupt has to end the process


@contextmanager
def listening() -> Iterator[list[int]]:
    """SIGINT and SIGTERM raise inside, and are listed.

    A second one ends the process there and then, and so does the alarm where a library has swallowed the first, of
    which Python then prints no traceback: files are written whole, so that nothing half done is left.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # which alone may listen
        yield received
        return

    def end(number: int, _: Any) -> None:
        if received:
            os._exit(SIGNALLED + received[0])
        received.append(number)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, GRACE)
        raise KeyboardInterrupt

    own = ("SIGINT", "SIGTERM", "SIGALRM")
    before = {name: signal.signal(getattr(signal, name), end) for name in own if hasattr(signal, name)}
    hook = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if isinstance(lost.exc_value, KeyboardInterrupt) else hook(lost)
    try:
        yield received
    finally:
        sys.unraisablehook = hook
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
