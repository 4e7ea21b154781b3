"""What a run says while it works: lines, or bars with the time left of each step where there is a terminal."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

SILENT = 10.0  # most seconds without a word


class Progress:
    """Progress of a run as lines; within `with`, never silent for longer than `SILENT` seconds.

    Parameters
    ----------
    say : callable
        Called with a line before each step; silent by default.
    """

    def __init__(self, say: Callable[[str], None] = lambda line: None) -> None:
        self._say, self._ended = say, threading.Event()
        self._line, self._since, self._spoke = "at work", time.monotonic(), time.monotonic()

    def say(self, line: str) -> None:
        """Say a line."""
        self._line, self._since = line, time.monotonic()
        self._spoke = self._since
        self._say(line)

    def __enter__(self) -> Self:
        threading.Thread(target=self._go_on, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def _go_on(self) -> None:
        """Say the last line again, with the seconds since it was new, whenever nothing was said for a while."""
        while not self._ended.wait(max(self._spoke + SILENT - time.monotonic(), 0.01)):
            if time.monotonic() >= self._spoke + SILENT:
                self._spoke = time.monotonic()
                self._say(f"{self._line}: {self._spoke - self._since:.0f} s so far")

    def track[T](self, step: str, items: Sequence[T], name: Callable[[T], str]) -> Iterator[T]:
        """Yield the items of a step in turn, saying which is worked on."""
        for number, item in enumerate(items, start=1):
            self.say(f"[{step} {number}/{len(items)}] {name(item)}")
            yield item


def _time_left(column: Any) -> Any:
    """A column with the time left, blank while nobody knows it: a step that is at work has more than none."""
    from rich import progress
    from rich.text import Text

    class TimeLeft(progress.TimeRemainingColumn):
        def render(self, task: progress.Task) -> Text:
            if task.finished:
                return Text("")
            return super().render(task) if (task.time_remaining or 0) >= 1 else Text("-:--:--")

    return TimeLeft(table_column=column)


class Bars(Progress):
    """Progress of a run on a terminal: one bar a step, with the seconds gone and the time left."""

    def __init__(self) -> None:
        from rich import progress
        from rich.console import Console
        from rich.table import Column
        from rich.text import Text

        whole = Column(no_wrap=True)
        self._bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False, table_column=whole),
            progress.BarColumn(bar_width=12, table_column=whole),
            progress.MofNCompleteColumn(table_column=whole),
            progress.TimeElapsedColumn(table_column=whole),
            progress.TextColumn("left:", table_column=whole),
            _time_left(whole),
            progress.TextColumn(
                "{task.fields[item]}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
            ),
            console=Console(stderr=True),
            expand=True,
        )
        super().__init__(lambda line: self._bars.console.print(Text(line)))

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def track[T](self, step: str, items: Sequence[T], name: Callable[[T], str]) -> Iterator[T]:
        """Yield the items of a step in turn, its bar moving on after each."""
        bar = self._bars.add_task(step, total=len(items), item="")
        for item in items:
            self._bars.update(bar, item=name(item))
            yield item
            self._bars.advance(bar)
        self._bars.update(bar, item="")
