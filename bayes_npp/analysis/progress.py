"""What a run says while it works: lines, or bars with the time left of each step where there is a terminal."""

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self


class Progress:
    """Progress of a run as lines.

    Parameters
    ----------
    say : callable
        Called with a line before each step; silent by default.
    """

    def __init__(self, say: Callable[[str], None] = lambda line: None) -> None:
        self.say = say

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put away."""

    def track[T](self, step: str, items: Sequence[T], name: Callable[[T], str]) -> Iterator[T]:
        """Yield the items of a step in turn, saying which is worked on."""
        for number, item in enumerate(items, start=1):
            self.say(f"[{step} {number}/{len(items)}] {name(item)}")
            yield item


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
            progress.TimeRemainingColumn(table_column=whole),
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
