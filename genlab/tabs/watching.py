"""Long work on the page: a bar that says how far it is, and a stop that works at the next step."""

import html
import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

import gradio as gr

KEPT = 1024  # visitors whose wish to stop is remembered
Result = TypeVar("Result")
_stopped: OrderedDict[str, bool] = OrderedDict()
_lock = threading.Lock()


class Stopped(Exception):
    """The visitor asked the work to stop."""


def key_of(request: gr.Request, what: str) -> str:
    """What one visitor's work of one kind is remembered by."""
    return f"{request.session_hash}/{what}"


def stop(key: str) -> None:
    """Ask the work of that key to end at its next step."""
    with _lock:
        _stopped[key] = True
        while len(_stopped) > KEPT:
            _stopped.popitem(last=False)


def begin(key: str) -> str:
    """Forget an earlier wish to stop, before new work of that key waits for its turn; returns a bar to show."""
    with _lock:
        _stopped.pop(key, None)
    return bar(0, 0, "waiting for its turn")


def steps(work: Generator[Any, None, Result], key: str, show) -> Iterator[Any]:
    """Run work that yields (done, total, what), yielding `show(bar)` for each; returns its result (`yield from`).

    Raises:
        Stopped: `stop` was called since `begin`.
    """
    while True:
        try:
            step = next(work)
        except StopIteration as done:
            return done.value
        with _lock:
            asked = _stopped.pop(key, False)
        if asked:
            work.close()
            raise Stopped
        yield show(bar(*step))


def bar(done: int, total: int, what: str) -> str:
    """A progress bar with words, for a `gr.HTML`."""
    words = html.escape(what[:1].upper() + what[1:])
    count = f": {done:,} of {total:,}" if total else f": {done:,}" if done else " ..."
    value = f' value="{done}" max="{total}"' if total else ""
    return (
        f'<div class="bar" role="status"><progress{value} aria-label="{words}"></progress><p>{words}{count}</p></div>'
    )


def told(words: str) -> str:
    """A sentence where the bar stood."""
    return f'<div class="bar" role="status"><p>{html.escape(words)}</p></div>' if words else ""
