"""Calls shared with a second process, where there is a second core: each is made there or here, whoever is free."""

import gc
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import IO, Any, Self

SERVE = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve(*{modules!r})"
GRACE = 5.0  # seconds that the second process has to leave what it is at
WRITERS = (
    "bayes_npp.reporting.base.paper",
    "bayes_npp.reporting.figures.drawing",
    "docx",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
)
started_early: "list[subprocess.Popen[bytes]]" = []


@contextmanager
def second_process(*modules: str) -> Iterator[None]:
    """Start the second process now, and let it import modules: the first `Shared` inside takes it."""
    if process := _started(*modules):
        started_early.append(process)
    try:
        yield
    finally:
        while started_early:
            _leave(started_early.pop())


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
    after : int, optional
        Calls after which there is so much to do that a second process, which takes a second to start, is of use; None:
        never. One that is there already (`second_process`) takes every call.
    """

    def __init__(self, after: int | None = 0) -> None:
        self.calls: list[Call[Any]] = []
        self.after = after
        self.process = (
            None if after is None else started_early.pop() if started_early else None if after else _started()
        )
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
            _leave(self.process)

    def give[T](self, function: Callable[..., T], *arguments: Any) -> Call[T]:
        """Take a call on, to be made by whoever is free."""
        call = Call(function, arguments)
        self.calls.append(call)
        if self.process is not None:
            self._share(call)
        elif self.after and len(self.calls) == self.after + 1:
            self.process = _started()
            for own in self.calls if self.process is not None else ():
                self._share(own)
        return call

    def _share(self, call: Call[Any]) -> None:
        call.elsewhere = self.thread.submit(_ask, self.process, call.function, call.arguments)

    def finish(self) -> None:
        """Make what is left, the last ones first: the second process takes the first ones."""
        for call in reversed(self.calls):
            call.result  # noqa: B018


def _started(*modules: str) -> "subprocess.Popen[bytes] | None":
    """A process that serves, or none where there is no second core or none can be started.

    No key reaches it: it ends when this one does.
    """
    if (os.process_cpu_count() or 1) < 2:
        return None
    script = SERVE.format(path=sys.path, module=__name__, modules=modules)
    with suppress(OSError):
        return subprocess.Popen(
            [sys.executable or "", "-P", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    return None


def _leave(process: "subprocess.Popen[bytes]") -> None:
    """End a process and close its pipes; what was still to be said is said to nobody."""
    process.kill()
    with suppress(OSError), process:
        pass


def _ask(process: "subprocess.Popen[bytes] | None", function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """What a call gives in the process; an error of any kind if it gives nothing."""
    message = pickle.dumps((function, arguments))
    assert process is not None
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(message)
    process.stdin.flush()
    done, value = pickle.load(process.stdout)
    if not done:
        raise RuntimeError(value)
    return value


def serve(*modules: str) -> None:
    """Make the calls that come in, one after the other, until there is nobody to ask; before, import modules."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # through every `finally`
    gc.disable()  # it ends soon
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    for name in modules:
        with suppress(ImportError):  # who needs it says so
            import_module(name)
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
