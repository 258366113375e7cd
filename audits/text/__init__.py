"""Generated text, audited as strings and scores: copies of training text, repetition, pairs of sentences, a filter."""

from __future__ import annotations

from audits.text.distinctness import distinctness
from audits.text.memorisation import longest_copies, memorisation
from audits.text.pairs import pair_preferences

__all__ = ["distinctness", "longest_copies", "memorisation", "pair_preferences"]
