"""Figures of language models on held-out text, and of what they write, unmarked, as the network itself draws it.

Beside a model stands an n-gram model of the same tokens of the same training text (`genlab.metrics.ngram`), which tells
how much of a figure a table of counts gives away.
"""

from collections.abc import Iterator

import numpy as np

from audits.text.distinctness import distinctness
from audits.text.memorisation import longest_copies
from genlab.data import Corpus, load
from genlab.metrics.ngram import learn
from genlab.seeds import Seeds
from genlab.studio.evaluate_items import item_likelihood_figures, item_sample_figures
from genlab.studio.figures import FIRST_SEED, Figure, exponential, from_finding, pooled_figure

ORDER = 5  # tokens of an n-gram
TEXTS, LENGTH = 200, 256  # written texts, and tokens of each
COPIED = 50  # characters from which on a run counts as copied
WINDOWS, HIDDEN_WINDOWS = 1_000, 300  # held-out windows with some tokens hidden, and with each hidden in turn
HIDDEN = 0.15  # share of a window's tokens
AT_ONCE = 16
Figures = Iterator[tuple[str, Figure | None]]


def text_parts(model, data: str, *, quick: bool) -> list[tuple[str, Figures]]:
    """What is measured of a language model, by part: "likelihood" and "samples", or "filling"."""
    if hasattr(model, "fill"):
        return [("filling", filling_figures(model, data, quick=quick))]
    if model.controls:
        return [
            ("likelihood", item_likelihood_figures(model, data)),
            ("samples", item_sample_figures(model, data, quick=quick)),
        ]
    return [
        ("likelihood", likelihood_figures(model, data, quick=quick)),
        ("samples", sample_figures(model, data, quick=quick)),
    ]


def likelihood_figures(model, data: str, *, quick: bool) -> Figures:
    """Bits a character and perplexity a token of the held-out end of every work, each scored alone from its start."""
    yield "bits_per_character", None
    test = load(data, "test")
    texts = test.texts[: len(test.texts) // 4 or 1] if quick else test.texts
    tokens, letters = [model.tokens_of(text) for text in texts], np.array([len(text) for text in texts])
    nats, sizes = np.array([model.code_lengths(t).sum() for t in tokens]), np.array([len(t) for t in tokens])
    bits = nats / np.log(2)
    yield "bits_per_character", pooled_figure(bits, letters, "bits a character", n=letters.sum())
    yield "perplexity", exponential(pooled_figure(nats, sizes, "", n=sizes.sum()), "perplexity a token")
    if quick:
        return
    yield f"bits_per_character_{ORDER}gram", None
    counted = learn([model.tokens_of(text) for text in load(data).texts], vocabulary=model.vocabulary, order=ORDER)
    other = np.array([-counted.log_chances(t).sum() for t in tokens]) / np.log(2)
    unit = f"bits a character, {ORDER}-gram of the same tokens"
    yield f"bits_per_character_{ORDER}gram", pooled_figure(other, letters, unit, n=letters.sum())
    yield "bits_against_5gram", pooled_figure(bits, other, "ratio of bits, to the 5-gram's", n=letters.sum(), floor=1.0)


# ---- what it writes


def written(model, count: int, *, most: int, ends: bool = True, seed: int = FIRST_SEED) -> list[list[int]]:
    """Tokens of `count` texts of the network itself, without a mark, knobs at their defaults; the end is left out."""
    found: list[list[int]] = []
    for start in range(0, count, AT_ONCE):
        seeds = Seeds.count_from(seed + start, min(AT_ONCE, count - start), model.device)
        steps = [step.tokens for step in model.write([0], seeds, most=most, ends=ends)]
        found += [[token for token in column if token > 0] for column in zip(*steps, strict=True)]
    return found


def pieces(model, texts: tuple[str, ...], count: int, length: int) -> list[str]:
    """At most `count` pieces of `length` tokens of texts, spread evenly."""
    cut = [t[i : i + length] for t in map(model.tokens_of, texts) for i in range(0, len(t) - length + 1, length)]
    chosen = np.linspace(0, len(cut) - 1, min(count, len(cut))).astype(int)
    return [model.text_of(cut[i]) for i in chosen]


def sample_figures(model, data: str, *, quick: bool) -> Figures:
    """Runs that written texts share with the training text, and how much of them is said once only."""
    yield "copied_runs", None
    train, test = load(data), load(data, "test")
    count, length = (AT_ONCE, LENGTH // 4) if quick else (TEXTS, LENGTH)
    texts = [model.text_of(tokens) for tokens in written(model, count, most=length, ends=False)]
    report = longest_copies(texts, "\n".join(train.texts), held_out="\n".join(test.texts), length=COPIED)
    found = {finding.name: finding for finding in report.findings}
    unit = f"share of texts with {COPIED} characters or more as in training"
    yield "copied_runs", from_finding(found["share.copied"]) | {"unit": unit}
    median = from_finding(found["median.longest"], found["median.held_out"].value)
    yield "longest_run", median | {"unit": "characters as in training, median"}
    real = pieces(model, test.texts, count, length)
    if real:
        report = distinctness(texts, real)
        pairs = next(finding for finding in report.findings if finding.name == "distinct.2")
        yield "distinct_2", from_finding(pairs) | {"unit": "share of different pairs of words"}


# ---- filling


def windows(model, corpus: Corpus, count: int) -> np.ndarray:
    """At most `count` whole windows of tokens (m, context - 2) of the works, side by side, chosen with a fixed seed."""
    size = model.context - 2
    cut = [t[i : i + size] for t in map(model.tokens_of, corpus.texts) for i in range(0, len(t) - size + 1, size)]
    if not cut:
        raise ValueError(f"No text of {corpus.name} has the {size} tokens of a window.")
    chosen = np.sort(np.random.default_rng(FIRST_SEED).permutation(len(cut))[:count])
    return np.array([cut[i] for i in chosen])


def hide(rows: np.ndarray, special: int) -> np.ndarray:
    """Which tokens of windows (m, t) are hidden: `HIDDEN` of each window's, drawn, never a special one."""
    dice = np.random.default_rng(FIRST_SEED + 1).random(rows.shape)
    dice[rows < special] = 2
    least = np.sort(dice, axis=1)[:, round(HIDDEN * rows.shape[1])]
    return (dice < least[:, None]) & (dice < 1)


def guesses(model, rows: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The model's likeliest token at each hidden place, in reading order, and its log-probability in nats."""
    mask, found = model.special.index("[MASK]"), []
    for row, places in zip(rows, hidden, strict=True):
        if places.any():
            found.append(model.fill(np.where(places, mask, row).tolist()))
    chances = np.concatenate(found)
    return chances.argmax(1), chances.max(1)


def sides(rows: np.ndarray, hidden: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """What stands left and right of each hidden token, (m, reach) each; -1 where that is hidden too, or no more."""
    seen = np.pad(np.where(hidden, -1, rows), ((0, 0), (reach, reach)), constant_values=-1)
    row, place = np.nonzero(hidden)
    left = np.stack([seen[row, place + i] for i in range(reach)], 1)
    return left, np.stack([seen[row, place + reach + 1 + i] for i in range(reach)], 1)


def filling_figures(model, data: str, *, quick: bool) -> Figures:
    """Hidden tokens of held-out windows that are guessed, beside counts; perplexity with one token hidden at a time."""
    yield "masked_accuracy", None
    rows = windows(model, load(data, "test"), WINDOWS // 10 if quick else WINDOWS)
    hidden = hide(rows, len(model.special))
    owner, wanted = np.nonzero(hidden)[0], rows[hidden]
    sizes = hidden.sum(1)

    def right(guessed, unit: str) -> Figure:
        hits = np.bincount(owner, guessed == wanted, minlength=len(rows))
        return pooled_figure(hits, sizes, unit, n=sizes.sum())

    yield "masked_accuracy", right(guesses(model, rows, hidden)[0], "share of hidden tokens guessed")
    if not quick:
        yield "masked_accuracy_unigram", None
        taught = [model.tokens_of(text) for text in load(data).texts]
        counts = np.bincount(np.concatenate([np.asarray(t) for t in taught]), minlength=model.vocabulary)
        counts[: len(model.special)] = 0
        unit = "share guessed by the commonest token"
        yield "masked_accuracy_unigram", right(counts.argmax(), unit)
        yield f"masked_accuracy_{ORDER}gram_left", None
        counted = learn(taught, vocabulary=model.vocabulary, order=ORDER)
        left, after = sides(rows, hidden, ORDER - 1)
        unit = f"share guessed by a {ORDER}-gram from the left"
        yield f"masked_accuracy_{ORDER}gram_left", right(counted.fill(left), unit)
        unit = f"share guessed by a {ORDER}-gram from both sides"
        yield f"masked_accuracy_{ORDER}gram", right(counted.fill(left, after), unit)
    yield "pseudo_perplexity", None
    most = max(1, HIDDEN_WINDOWS // 15) if quick else HIDDEN_WINDOWS
    some = rows[:: max(1, len(rows) // most)][:most]
    nats = np.array([model.pseudo_code_lengths(row.tolist()).sum() for row in some])
    told = pooled_figure(nats, np.full(len(some), some.shape[1]), "", n=some.size)
    yield "pseudo_perplexity", exponential(told, "perplexity a token, each hidden in turn")
