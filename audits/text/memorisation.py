"""Does a model of text repeat what it was trained on? Judged beside held-out text, which it never saw.

Two questions: are short generated items (names, words) those of the training list, and do longer generated texts share
long runs with the training text? Chance alone does both, and held-out items of the same population say how often.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv, ndtri

from audits.bias.intervals import Interval, wilson
from audits.bias.tables import listed
from audits.report import Finding, Report, figure
from audits.text.ranks import median
from audits.text.runs import longest_runs
from audits.text.tokens import UNITS, as_texts, normal, tokens

QUOTED = 200  # characters of a copied run that a report shows


def memorisation(
    generated: Sequence[str], trained: Sequence[str], held_out: Sequence[str], *, level: float = 0.95
) -> Report:  # fmt: skip
    """How many `generated` strings stand in the list `trained`, beside those in `held_out`.

    The two lists must be disjoint draws of one population, such as a split by hash. Strings are compared without case,
    trimmed. A model that generalises hits both lists in proportion to their lengths, a memoriser the trained one only.
    Findings: `share.trained`, `share.held_out` and `share.new` of all generated strings, repeats counted, with Wilson's
    interval; the floor of the first is what `share.held_out` promises for a list as long as the trained one.
    `ratio.draws` divides hits per listed item, trained by held out: its interval is exact, since hits of one of the
    lists among all hits are binomial (Clopper & Pearson 1934), and answers for these two lists as they are.
    `ratio.items` divides the share of the listed items that were generated at least once: its interval is that of the
    logarithm (Katz et al. 1978, with Walter's half an item), open at a side where a list was not hit. It alone carries
    the verdict, because it knows the luck of the split, and a few popular items do not move it. Raises ValueError.
    """
    _check_level(level)
    drawn = [normal(text) for text in as_texts(generated, "generated")]
    train, held = (
        {normal(text) for text in as_texts(values, name)} - {""}
        for values, name in ((trained, "trained"), (held_out, "held-out"))
    )
    both = held & train
    held -= both
    if not train or not held:
        raise ValueError(
            f"Of {len(train):,} training items and {len(held) + len(both):,} held-out ones {len(both):,} are in both "
            "lists: the lists must be disjoint, and neither may be empty."
        )
    n, counts = len(drawn), Counter(drawn)
    seen, other = counts.keys() & train, counts.keys() & held
    hits, chance = sum(counts[t] for t in seen), sum(counts[t] for t in other)
    promised = min(1.0, chance / n * len(train) / len(held))
    said = f"{hits:,} of {n:,} generated strings are training items"
    said += f"; the held-out rate promises {promised:.1%} for a list of that length." if chance else "."
    findings = [
        _share("share.trained", hits, n, level, said, promised if chance else None),
        _share("share.held_out", chance, n, level, f"{chance:,} of {n:,} generated strings are held-out items."),
        _share("share.new", n - hits - chance, n, level, f"{n - hits - chance:,} of {n:,} stand in neither list."),
        _ratio("ratio.draws", draw_ratio(hits, chance, len(train), len(held), level=level), hits + chance, False),
        _ratio("ratio.items", item_ratio(len(seen), len(other), len(train), len(held), level=level),
               len(seen) + len(other), True),
    ]  # fmt: skip
    caveats = [
        "The ratios ask whether trained items come more often than held-out ones; common items come often either way.",
        "Both lists must be draws of one population: a held-out list of rarer items makes any model look like a "
        "memoriser.",
        "ratio.draws answers for these two lists only: a popular item on one of them moves it, whatever was learnt.",
        "An item that differs from a training item by one letter counts as new.",
        "Intervals take the generated strings as independent draws.",
    ]
    if both:
        caveats.append(f"{len(both):,} items stood in both lists ({listed(sorted(both), 3)}) and count as trained.")
    title = f"Memorisation: {n:,} generated strings, {len(train):,} training items, {len(held):,} held out"
    return Report(title, tuple(findings), tuple(caveats))


def draw_ratio(hits: int, chance: int, trained: int, held_out: int, *, level: float = 0.95) -> Interval:
    """(hits / trained) / (chance / held_out) with Clopper & Pearson's interval for hits among hits + chance.

    Without `chance` hits the value and the upper bound are inf; without any hit nothing is known: NaN, 0 and inf.
    """
    tail, scale = (1 - level) / 2, held_out / trained
    low = float(betaincinv(hits, chance + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, chance, 1 - tail)) if chance else 1.0
    value = hits / chance * scale if chance else math.inf if hits else math.nan
    return Interval(value, low / (1 - low) * scale, high / (1 - high) * scale if high < 1 else math.inf)


def item_ratio(seen: int, other: int, trained: int, held_out: int, *, level: float = 0.95) -> Interval:
    """(seen / trained) / (other / held_out) with the interval of its logarithm, half an item added to each count.

    Without `other` the value and the upper bound are inf, without `seen` the lower bound is 0; without both the value
    is NaN. At or near full lists the interval stays wide of a point, because of the halves.
    """
    a, b, m, k = seen + 0.5, other + 0.5, trained + 0.5, held_out + 0.5
    spread = float(ndtri((1 + level) / 2)) * math.sqrt(max(0.0, 1 / a - 1 / m + 1 / b - 1 / k))
    value = seen / trained / (other / held_out) if other else math.inf if seen else math.nan
    middle = a / m / (b / k)
    low = middle * math.exp(-spread) if seen else 0.0
    high = middle * math.exp(spread) if other else math.inf
    return Interval(value, low if math.isnan(value) else min(low, value), max(high, value) if other else high)


def longest_copies(
    generated: Sequence[str], training: str, *, held_out: str | None = None, length: int = 50,
    unit: str = "characters", level: float = 0.95,
) -> Report:  # fmt: skip
    """The longest run that each generated text shares word for word with the `training` text.

    `length` is the run from which on a text counts as holding a copy, in `unit`: "characters" as they stand, or "words"
    without case and punctuation. `held_out` is text of the same kind that was not trained on: pieces of the lengths of
    the generated texts are cut from it, spread evenly, as many as it has room for, and are measured in the same way.
    Findings: `share.copied` (Wilson's interval; its floor is the share of the pieces, and its verdict compares the
    two intervals), `median.longest` (interval of order statistics), `longest` (quoted); with held-out text
    `share.held_out` and `median.held_out`. 5 MB of training text take a few seconds. Raises ValueError.
    """
    _check_level(level)
    texts = as_texts(generated, "generated")
    if length < 1:
        raise ValueError(f"length is {length}; a copied run has at least 1 of the unit.")
    if unit not in UNITS:
        raise ValueError(f"The unit is 'words' or 'characters', not {unit!r}.")
    numbers: dict[str, int] = {}
    source = _symbols(training, unit, numbers)
    if not len(source):
        raise ValueError("The training text is empty.")
    asked = [_symbols(text, unit, numbers) for text in texts]
    pieces = [] if held_out is None else _pieces(_symbols(held_out, unit, numbers), [len(a) for a in asked])
    runs = longest_runs([*asked, *pieces], source)
    own, others = np.split(runs.lengths, [len(texts)])

    floor = verdict = None
    copied = _share("share.copied", int((own >= length).sum()), len(own), level, "")
    said = f"{int((own >= length).sum()):,} of {len(own):,} generated texts share {length} {unit} or more with training"
    findings = [
        _median("median.longest", own, level, f"Half of the generated texts share {{}} {unit} or more in one run."),
        _quoted(texts, asked, runs, own, unit),
    ]
    if pieces:
        held = _share("share.held_out", int((others >= length).sum()), len(others), level, "")
        told = f"{int((others >= length).sum()):,} of {len(others):,} held-out pieces of the same lengths do"
        floor, verdict = held.value, _apart(copied, held)
        said += f"; {told}"
        findings += [
            Finding(held.name, held.value, held.low, held.high, held.n, "share", None, "", f"{told}."),
            _median("median.held_out", others, level, f"Half of the held-out pieces share {{}} {unit} or more."),
        ]
    first = Finding(copied.name, copied.value, copied.low, copied.high, copied.n, "share", floor, verdict or "",
                    f"{said}.")  # fmt: skip
    caveats = [
        "Only runs that are the same throughout count; a copy with one word changed is two shorter runs.",
        "Intervals take the generated texts as independent draws.",
    ]
    if held_out is None:
        caveats.append("Without held-out text nobody can say which of these runs any writer would share.")
    elif len(pieces) < len(texts):
        caveats.append(f"The held-out text has room for {len(pieces):,} pieces; there are {len(texts):,} texts.")
    if max(map(len, asked)) < length:
        caveats.append(f"No generated text is as long as {length} {unit}: none can hold such a copy.")
    title = f"Copied runs: {len(texts):,} generated texts, {len(source):,} {unit} of training text"
    return Report(title, (first, *findings), tuple(caveats))


def _check_level(level: float) -> None:
    if not 0.5 <= level < 1:
        raise ValueError(f"level is {level}; it must be from 0.5 to below 1.")


def _share(name: str, count: int, n: int, level: float, reading: str, floor: float | None = None) -> Finding:
    value, low, high = map(float, wilson(count, n, level=level))
    return Finding(name, value, low, high, n, "share", floor, "", reading)


def _ratio(name: str, found: Interval, n: int, judged: bool) -> Finding:
    what = "listed items that were generated" if judged else "hits per listed item"
    if not n:
        reading = "No generated string is on either list: nothing can be said."
    elif math.isinf(found.value):
        reading = f"No held-out item was hit: the ratio of {what} is at least {figure(found.low)}, without upper bound."
    else:
        reading = f"The ratio of {what}, trained to held out, is {figure(found.value)}; it is 1 without memorisation."
        side = "more" if found.low > 1 else "less" if found.high < 1 else ""
        reading += f" Trained items come {side} readily." if side and judged else ""
    verdict = "worse" if found.low > 1 else "better" if found.high < 1 else "cannot tell"  # an open side is no doubt
    return Finding(name, found.value, found.low, found.high, n, "ratio", 1.0, verdict if judged else "", reading)


def _apart(copied: Finding, held: Finding) -> str:
    return "worse" if copied.low > held.high else "better" if copied.high < held.low else "cannot tell"


def _symbols(text: str, unit: str, numbers: dict[str, int]) -> np.ndarray:
    if unit == "characters":
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return np.array([numbers.setdefault(word, len(numbers)) for word in tokens(text, unit)], dtype=np.uint32)


def _pieces(text: np.ndarray, lengths: Sequence[int]) -> list[np.ndarray]:
    """Pieces of `lengths` in their order, as many as `text` has room for, the rest of it spread between them."""
    fits = int(np.searchsorted(np.cumsum(lengths), len(text), side="right"))
    if not fits:
        raise ValueError("The held-out text is shorter than the first generated text: give more of it.")
    between = (len(text) - sum(lengths[:fits])) // fits
    starts = np.cumsum([0, *lengths[: fits - 1]]) + between * np.arange(fits)
    return [text[start : start + size] for start, size in zip(starts, lengths[:fits], strict=True)]


def _median(name: str, lengths: np.ndarray, level: float, reading: str) -> Finding:
    value, low, high = median(lengths, level=level)
    return Finding(name, value, max(low, 0.0), high, len(lengths), "length", None, "", reading.format(figure(value)))


def _quoted(texts, asked, runs, own, unit: str) -> Finding:
    which = int(own.argmax())
    start, size = int(runs.starts[which]), int(own[which])
    run = texts[which][start : start + size] if unit == "characters" else ""
    if unit == "words":
        run = " ".join(tokens(texts[which], unit)[start : start + size])
    shown = repr(run if len(run) <= QUOTED else run[:QUOTED] + " ...")
    reading = f"The longest shared run has {size:,} {unit}: {shown}." if size else "No text shares anything."
    return Finding("longest", size, math.nan, math.nan, len(own), "length", None, "", reading)
