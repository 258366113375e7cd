"""The mark in a text's tokens as a layer of provenance: whoever has the tokeniser reads it, no model is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from audits.provenance.detection import Detection, Reader
from audits.provenance.keys import Key
from audits.watermark.text import Tournament
from audits.watermark.text_detection import detect

LAYER = "watermark"


def tournament(key: Key, vocabulary: int) -> Tournament:
    """The mark that this key puts into texts of a model with so many tokens."""
    return Tournament(key.secret, vocabulary)


def reader(keys: Sequence[Key], vocabulary: int, encode: Callable[[str], Sequence[int]]) -> Reader:
    """What looks for the mark of any of these keys in a text.

    Args:
        keys: the key in use, and those before it.
        vocabulary: how many tokens the marked model has.
        encode: its tokeniser, a text to token ids, without special tokens.
    """
    marks = [tournament(key, vocabulary) for key in keys]

    def read(text: str) -> Detection:
        found = detect(encode(text.replace("\r\n", "\n")), marks)
        return Detection(LAYER, found.p_value, found.detail)

    return read
