"""Edits of words that a marked text may meet: some are left out, change places with the next, or change their case.

A word is what stands between blanks, with its punctuation. A share s of n words is round(s n) of them, chosen by `rng`.
"""

from __future__ import annotations

import re

import numpy as np

from audits.watermark.streams import WatermarkError


def deleted(text: str, share: float, rng: np.random.Generator) -> str:
    """A share of the words left out, each with the blanks behind it."""
    parts, words = _split(text)
    for i in _chosen(words, share, rng):
        parts[i : i + 2] = [""] * len(parts[i : i + 2])
    return "".join(parts)


def swapped(text: str, share: float, rng: np.random.Generator) -> str:
    """A share of the words changed places with a neighbour, in pairs that have no word in common; blanks stay."""
    parts, words = _split(text)
    wanted, moved = len(_chosen(words, share, rng)) // 2, set()
    for i in rng.permutation(max(0, len(words) - 1)).tolist():
        if len(moved) >= 2 * wanted:
            break
        if not {i, i + 1} & moved:
            a, b = words[i], words[i + 1]
            parts[a], parts[b] = parts[b], parts[a]
            moved |= {i, i + 1}
    return "".join(parts)


def recased(text: str, share: float, rng: np.random.Generator) -> str:
    """A share of the words in another case: those with a capital in lower case, others with a capital in front."""
    parts, words = _split(text)
    for i in _chosen(words, share, rng):
        lower = parts[i].lower()
        parts[i] = lower if lower != parts[i] else re.sub(r"[^\W\d_]", lambda found: found[0].upper(), lower, count=1)
    return "".join(parts)


EDITS = {"deleted": deleted, "swapped": swapped, "recased": recased}


def _split(text: str) -> tuple[list[str], list[int]]:
    """(words and blanks in turn, where the words are)."""
    parts = re.split(r"(\s+)", text)
    return parts, [i for i in range(0, len(parts), 2) if parts[i]]


def _chosen(words: list[int], share: float, rng: np.random.Generator) -> list[int]:
    if not 0 <= share <= 1:
        raise WatermarkError(f"The share of words to edit is from 0 to 1; {share} was given.")
    return rng.permutation(words)[: round(share * len(words))].tolist()
