"""How the command line shows things: tables on the output, progress on the error stream."""

import sys
from collections.abc import Iterator
from typing import Any

from genlab.card_text import number


class Failed(Exception):
    """The command ran and has bad news; the message is printed and the exit status is 1."""


def console():
    """Where tables go; wide enough not to fold when the output is a file."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=160)


def new_table(*columns: str):
    """An empty table with these headings."""
    from rich import box
    from rich.table import Table

    return Table(*columns, box=box.SIMPLE_HEAD)


def progress_bar():
    """A bar with time left, on the error stream; silent unless that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    screen = Console(stderr=True)
    return Progress(*columns, TextColumn("{task.fields[note]}"), console=screen, disable=not screen.is_terminal)


def watch(run: Iterator[tuple[str, Any]], bar: Any) -> None:
    """Show a training run to its end: a bar a stage, or a line every twentieth where nobody sees bars."""
    tasks: dict[str, Any] = {}
    for stage, at in run:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=at.steps, note="")
        note = "  ".join(f"{name} {number(value)}" for name, value in at.losses.items())
        bar.update(tasks[stage], completed=at.step, note=note)
        if bar.disable and at.step * 20 // at.steps > (at.step - 1) * 20 // at.steps:
            print(f"{stage} {at.step:,}/{at.steps:,}  {note}", file=sys.stderr)
