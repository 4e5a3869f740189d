"""What the terminal shows: results on stdout, progress and messages on stderr, bars only on a real terminal."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ..context import Step


class TerminalProgress:
    """Bars with remaining time on a terminal, one line a stage elsewhere, nothing when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)

    def message(self, text: str) -> None:
        """One line on stderr."""
        self.console.print(text, style="dim", markup=False, soft_wrap=True)

    def headline(self, text: str) -> None:
        """One line on stderr that what follows belongs to."""
        self.console.print(text, style="bold", markup=False, soft_wrap=True)

    def task(self, name: str, total: int) -> AbstractContextManager[Step]:
        """A bar of ``total`` units."""
        return self._bar(name, total)

    @contextmanager
    def _bar(self, name: str, total: int) -> Iterator[Step]:
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        with bar:
            task = bar.add_task(f"  {name}", total=total, detail="")

            def step(n: int = 1, detail: str = "") -> None:
                bar.advance(task, n)
                if detail:
                    bar.update(task, detail=detail)

            yield step
