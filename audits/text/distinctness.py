"""Does a model of text repeat itself? Distinct n-grams (Li et al. 2016) and items that come more than once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.special import ndtri

from audits.bias.intervals import Interval
from audits.report import Finding, Report
from audits.text.tokens import as_texts, normal, tokens

LENGTHS = (1, 2, 3)


def distinctness(
    generated: Sequence[str], reference: Sequence[str] | None = None, *, unit: str = "words", level: float = 0.95
) -> Report:
    """How much of a generated set is said once only, and how much of it is repeated.

    `distinct.1`, `.2` and `.3` are the different n-grams over all n-grams of the set (Li et al. 2016 divide by tokens,
    which is the same for n = 1), n-grams inside one text, of `unit` "words" (without case and punctuation) or
    "characters". `repeated` is the share of texts that repeat an earlier one, `recurring` the share of texts that come
    more than once, all their copies counted; both compare without case, trimmed.

    All of these change with the size of the set, and distinct-n with the length of the texts: compare equal sizes only.
    With a `reference` set that is done here: of both sets the first texts are taken, as many as the smaller one has
    for the shares, and as many tokens for distinct-n, and the reference's figure is the floor.
    The intervals are the jackknife's over whole texts, which on average is too wide rather than too narrow (Efron &
    Stein 1981), and answer for sets of this size; a bootstrap would repeat texts and so lower what it measures.
    Raises ValueError.
    """
    if not 0.5 <= level < 1:
        raise ValueError(f"level is {level}; it must be from 0.5 to below 1.")
    sets = [as_texts(generated, "generated")] + ([] if reference is None else [as_texts(reference, "reference")])
    cut = [[tokens(text, unit) for text in texts] for texts in sets]
    caveats = [
        "Every figure here changes with the size of the set, and distinct-n with the length of its texts: compare "
        "sets of equal size only.",
        "Real texts repeat themselves too: only a reference of equal size tells whether a low figure is a fault.",
    ]
    if reference is not None:
        size = min(sum(map(len, texts)) for texts in cut)
        cut = [_first_tokens(texts, size) for texts in cut]
        count = min(map(len, sets))
        caveats.append(f"Compared at equal size: the first {count:,} texts and the first {size:,} {unit} of both sets.")
        sets = [texts[:count] for texts in sets]
    findings = []
    for n in LENGTHS:
        measured = [distinct_ngrams(texts, n, level=level) for texts in cut]
        total = sum(max(0, len(text) - n + 1) for text in cut[0])
        reading = f"{measured[0].value:.1%} of {total:,} runs of {n} {unit} are different ones."
        if not total:
            reading = f"No text has {n} {unit}."
        findings.append(_finding(f"distinct.{n}", measured, total, reading, higher_is_better=True))
    items = [[normal(text) for text in texts] for texts in sets]
    for name, measure, said in (("repeated", repeated, "repeat an earlier one"),
                                ("recurring", recurring, "come more than once in the set")):  # fmt: skip
        measured = [measure(texts, level=level) for texts in items]
        n = len(items[0])
        reading = f"{measured[0].value:.1%} of {n:,} texts {said}."
        findings.append(_finding(name, measured, n, reading, higher_is_better=False))
    return Report(f"Distinctness of {len(sets[0]):,} texts", tuple(findings), tuple(caveats))


def distinct_ngrams(texts: Sequence[Sequence[str]], n: int, *, level: float = 0.95) -> Interval:
    """Different n-grams over all n-grams of texts cut into tokens; NaN, 0 and 1 where no text has n tokens."""
    grams = [[tuple(text[i : i + n]) for i in range(len(text) - n + 1)] for text in texts]
    ids, owner = _numbered(grams), np.repeat(np.arange(len(grams)), [len(g) for g in grams])
    if not len(ids):
        return Interval(math.nan, 0.0, 1.0)
    per_text = np.bincount(owner, minlength=len(grams))
    _, first = np.unique(ids * len(grams) + owner, return_index=True)  # each n-gram once a text
    holders = np.bincount(ids[first])
    different = len(holders)
    alone = np.bincount(owner[first], holders[ids[first]] == 1, minlength=len(grams))
    total = len(ids)
    kept = total - per_text
    without = np.divide(different - alone, kept, out=np.full(len(grams), np.nan), where=kept > 0)
    found = _jackknife(different / total, without, level)
    if different == total:  # nothing was repeated, so no text tells how often it happens: at most -ln(tail) times
        found = found._replace(low=max(0.0, 1 - _unseen(level) / len(grams)))
    return found


def repeated(items: Sequence[str], *, level: float = 0.95) -> Interval:
    """The share of items that stood in the set before: 1 less different items over items."""
    counts = np.bincount(ids := _numbered([items]))
    n, different = len(ids), len(counts)
    left = different - (counts[ids] == 1)
    found = _jackknife(1 - different / n, 1 - left / max(1, n - 1), level)
    return found if different < n else found._replace(high=min(1.0, _unseen(level) / n))


def recurring(items: Sequence[str], *, level: float = 0.95) -> Interval:
    """The share of items that the set holds more than once, every copy counted."""
    counts = np.bincount(ids := _numbered([items]))
    n, many = len(ids), int(counts[counts > 1].sum())
    lost = np.select([counts[ids] == 1, counts[ids] == 2], [0, 2], 1)
    found = _jackknife(many / n, (many - lost) / max(1, n - 1), level)
    return found if many else found._replace(high=min(1.0, 2 * _unseen(level) / n))


def _numbered(groups: Iterable[Iterable]) -> np.ndarray:
    numbers: dict = {}
    return np.array([numbers.setdefault(thing, len(numbers)) for group in groups for thing in group], dtype=np.int64)


def _jackknife(value: float, without: np.ndarray, level: float) -> Interval:
    """`value` in [0, 1] with the bounds that its values `without` each text (n,) give; all of [0, 1] for one text."""
    n = len(without)
    if n < 2 or np.isnan(without).any():
        return Interval(value, 0.0, 1.0)
    half = float(ndtri((1 + level) / 2)) * math.sqrt((n - 1) * float(np.var(without)))
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def _unseen(level: float) -> float:
    """The most events that a Poisson count of none is compatible with: 3.69 at 0.95."""
    return -math.log((1 - level) / 2)


def _first_tokens(texts: list[list[str]], size: int) -> list[list[str]]:
    kept = []
    for text in texts:
        if size <= 0:
            break
        kept.append(text[:size])
        size -= len(kept[-1])
    return kept


def _finding(name: str, measured: list[Interval], n: int, reading: str, *, higher_is_better: bool) -> Finding:
    own, floor, verdict = measured[0], None, ""
    if len(measured) == 2 and not math.isnan(measured[1].value):
        other = measured[1]
        floor = other.value
        reading = f"{reading[:-1]}; of the reference {floor:.1%}."
        above, below = own.low > other.high, own.high < other.low
        verdict = "better" if (above if higher_is_better else below) else "worse" if above or below else "cannot tell"
    return Finding(name, own.value, own.low, own.high, n, "share", floor, verdict, reading)
