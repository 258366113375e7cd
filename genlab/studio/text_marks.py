"""The mark in texts: which models carry it, how it goes into a draw, and who reads it in any text."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from audits.provenance import text_marks
from audits.provenance.detection import Detection, Reader
from genlab.studio import marking, shelf


def carriers() -> list[shelf.Entry]:
    """Models whose texts are marked: those that write more than single items."""
    return [known for known in shelf.with_capability("write") if not known.groups]


def adjust_of(known: shelf.Entry, network) -> Callable[[int, Sequence[int], np.ndarray], np.ndarray] | None:
    """What puts this installation's mark into a model's draws, as `GPT.write` takes it; None where none goes in.

    Names are too short for one, and a text of a model of the Hub could not be read without its tokenizer.
    """
    if known.groups or known.name not in shelf.names():
        return None
    mark = text_marks.tournament(marking.key(), network.vocabulary)
    return lambda item, tokens, chances: mark.adjust(tokens, chances)


def readers() -> tuple[Reader, ...]:
    """One for each model whose texts are marked; its tokenizer is opened when there is a text to read."""
    return tuple(functools.partial(_read, known.name) for known in carriers())


def _read(name: str, text: str) -> Detection | None:
    model = shelf.model(name)
    return text_marks.reader([marking.key(), *marking.old_keys()], model.vocabulary, model.tokens_of)(text)
