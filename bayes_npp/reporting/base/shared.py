"""Calls shared with a second process, where there is a second core: each is made there or here, whoever is free."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any, Self

SERVE = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve()"
GRACE = 5.0  # seconds that the second process has to leave what it is at


@dataclass
class Call[T]:
    """A call of a function that another process can import, which gives the same there as here.

    Whatever goes wrong there is done here, so that an error is raised where it always was.
    """

    function: Callable[..., T]
    arguments: tuple[Any, ...]
    elsewhere: Future[T] | None = None

    @cached_property
    def result(self) -> T:
        """What it gave there; where nobody has begun it, it is made now."""
        if self.elsewhere is not None and not self.elsewhere.cancel():
            with suppress(Exception):
                return self.elsewhere.result()
        return self.function(*self.arguments)


class Shared:
    """Calls given one by one. The second process takes them in that order; it ends with the `with` block.

    Parameters
    ----------
    worthwhile : bool
        Whether there is so much to do that a second process, which takes a second to start, is of use.
    """

    def __init__(self, worthwhile: bool = True) -> None:
        self.calls: list[Call[Any]] = []
        self.process = _started() if worthwhile and (os.process_cpu_count() or 1) > 1 else None
        self.thread = ThreadPoolExecutor(1)  # talks to the process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *rest: object) -> None:
        if self.process is not None and error is not None:  # it may be at work: no half file is left
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)
        if self.process is not None:
            self.process.kill()
        self.thread.shutdown(cancel_futures=True)
        if self.process is not None:
            with suppress(OSError), self.process:  # closes its pipes; what was still to be said is said to nobody
                pass

    def give[T](self, function: Callable[..., T], *arguments: Any) -> Call[T]:
        """Take a call on, to be made by whoever is free."""
        elsewhere = self.thread.submit(_ask, self.process, function, arguments) if self.process is not None else None
        call = Call(function, arguments, elsewhere)
        self.calls.append(call)
        return call

    def finish(self) -> None:
        """Make what is left, the last ones first: the second process takes the first ones."""
        for call in reversed(self.calls):
            call.result  # noqa: B018


def _started() -> "subprocess.Popen[bytes] | None":
    """A process that serves, or none where none can be started. No key reaches it: it ends when this one does."""
    script = SERVE.format(path=sys.path, module=__name__)
    with suppress(OSError):
        return subprocess.Popen(
            [sys.executable or "", "-P", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    return None


def _ask(process: "subprocess.Popen[bytes]", function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """What a call gives in the process; an error of any kind if it gives nothing."""
    message = pickle.dumps((function, arguments))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(message)
    process.stdin.flush()
    done, value = pickle.load(process.stdout)
    if not done:
        raise RuntimeError(value)
    return value


def serve() -> None:
    """Make the calls that come in, one after the other, until there is nobody to ask."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # through every `finally`
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    with suppress(EOFError, BrokenPipeError):
        while True:
            _answer(sys.stdin.buffer, answers)


def _answer(questions: IO[bytes], answers: IO[bytes]) -> None:
    function, arguments = pickle.load(questions)
    try:
        answer = (True, function(*arguments))
    except Exception as error:  # of any kind: who asked makes the call again itself, and raises it there
        answer = (False, repr(error))
    answers.write(pickle.dumps(answer))
    answers.flush()
