"""`python -m bayes_npp`, and `bayes-npp`: an interrupt is one line, also before the command line has loaded."""

import gc
import os
import signal

SIGNALLED = 128  # and the signal's number: 130 for SIGINT, 143 for SIGTERM


def main() -> None:
    """Run the command line.

    Until it listens itself, and when it no longer does, a signal ends the process there and then: nothing has begun.
    Nothing else is imported before, so that all that stays without a word is Python's own start.
    """
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), _leave)
    from bayes_npp.cli import main as run

    try:
        try:
            run()
        finally:
            gc.freeze()  # nothing is looked through for what can be freed before the process ends: a second less
    except KeyboardInterrupt:  # while its handler was being set
        _leave(signal.SIGINT)
    except SystemExit as end:
        if end.code != SIGNALLED + signal.SIGINT:
            raise
        _exit(end.code)


def _exit(code: int) -> None:
    """Leave by a code: where the interrupt met an `exec`, Python would leave by the signal, although it was caught."""
    import atexit
    import sys

    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _leave(number: int, _: object = None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(SIGNALLED + number)


if __name__ == "__main__":
    main()
