"""What a visitor reads when something goes wrong: our own sentences as they are, everything else by reference."""

import functools
import html
import inspect
import logging
import secrets
import traceback
from collections.abc import Callable

import gradio as gr

OURS = ("genlab", "audits")
log = logging.getLogger(__name__)


def guarded(handler: Callable) -> Callable:
    """The handler (a generator too), its failures turned into one sentence a visitor can act on.

    A ValueError or RuntimeError raised in our own code carries such a sentence. Anything else is logged with
    its traceback under a short reference, and the visitor gets the reference.
    """

    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def wrapped(*args, **kwargs):
            try:
                yield from handler(*args, **kwargs)
            except gr.Error:
                raise
            except Exception as error:
                raise _told(error) from None

    else:

        @functools.wraps(handler)
        def wrapped(*args, **kwargs):
            try:
                return handler(*args, **kwargs)
            except gr.Error:
                raise
            except Exception as error:
                raise _told(error) from None

    wrapped.__signature__ = inspect.signature(handler)
    return wrapped


def sentence(error: BaseException) -> str | None:
    """The error's message, where it was written for the visitor."""
    if not isinstance(error, ValueError | RuntimeError) or error.__traceback__ is None:
        return None
    frame = list(traceback.walk_tb(error.__traceback__))[-1][0]
    raised_in = frame.f_globals.get("__name__", "").partition(".")[0]
    return str(error) if raised_in in OURS and str(error) else None


def _told(error: Exception) -> gr.Error:
    words = sentence(error)
    if words is None:
        reference = secrets.token_hex(2)
        log.error("ref %s", reference, exc_info=error)
        words = f"Something went wrong here, not with what you did (ref {reference}). Try again in a moment."
    # The page shows messages as HTML, and they quote what was typed.
    return gr.Error(html.escape(words, quote=False), duration=12, title="Sorry", print_exception=False)
