"""Edits of words: as many as asked for, and nothing else."""

import numpy as np
import pytest

from audits.watermark import WatermarkError
from audits.watermark.text_edits import EDITS, deleted, recased, swapped

WORDS = [f"{'Word' if i % 2 else 'word'}{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(100)]
TEXT = "".join(word + ("\n\n" if i % 7 == 6 else " ") for i, word in enumerate(WORDS))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 1.0])
def test_as_many_words_are_edited_as_were_asked_for(share):
    rng, count = np.random.default_rng(1), round(100 * share)
    left = deleted(TEXT, share, rng).split()
    assert len(left) == 100 - count
    assert [word for word in WORDS if word in set(left)] == left
    other = recased(TEXT, share, rng).split()
    assert sum(a != b for a, b in zip(WORDS, other, strict=True)) == count
    assert [word.lower() for word in other] == [word.lower() for word in WORDS]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 0.3])
def test_words_change_places_with_a_neighbour_and_blanks_stay(share):
    other = swapped(TEXT, share, np.random.default_rng(2))
    moved = [i for i, (a, b) in enumerate(zip(WORDS, other.split(), strict=True)) if a != b]
    assert sorted(other.split()) == sorted(WORDS)
    assert len(moved) == round(100 * share)
    assert all(other.split()[i] in (WORDS[max(0, i - 1)], WORDS[min(99, i + 1)]) for i in moved)
    assert [c for c in other if c.isspace()] == [c for c in TEXT if c.isspace()]


@pytest.mark.parametrize("kind", EDITS)
def test_texts_without_words_stay_and_a_share_is_one(kind):
    rng = np.random.default_rng(0)
    assert EDITS[kind]("", 0.3, rng) == ""
    assert EDITS[kind](" \n", 1.0, rng) == " \n"
    with pytest.raises(WatermarkError, match=r"from 0 to 1; 1\.5 was given"):
        EDITS[kind](TEXT, 1.5, rng)
