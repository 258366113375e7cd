"""Chances of tokens after the few before them: n-grams with interpolated modified Kneser-Ney smoothing.

Chen and Goodman (1999), section 3 and appendix: of every count a discount is taken that depends on whether the count is
1, 2 or more, and what was taken is spread in proportion to the chances after a shorter context. Below the longest
context not occurrences count but the different tokens that stood before (Kneser and Ney 1995). The yardstick that a
neural language model of a small text has to beat.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AT_ONCE = 512  # contexts whose chances over the whole vocabulary are held at a time


@dataclass(frozen=True)
class Level:
    """All n-grams of one length, in the order of their contexts and last tokens.

    Attributes:
        keys: context number times the number of symbols plus the last token, sorted, (grams,).
        chances: discounted count over the context's total, (grams,).
        rest: share of a context that is left for shorter contexts, (contexts,); 1 where nothing was seen.
    """

    keys: np.ndarray
    chances: np.ndarray
    rest: np.ndarray


@dataclass(frozen=True)
class KneserNey:
    """A smoothed n-gram model; tokens are 0 to `vocabulary` - 1, and others, such as -1, stand for something unknown.

    Attributes:
        levels: n-grams of length 1 to `order`.
    """

    vocabulary: int
    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """Tokens that are looked at, the one that is guessed among them."""
        return len(self.levels)

    @property
    def symbols(self) -> int:
        """Tokens, and what stands before the first one of a text."""
        return self.vocabulary + 1

    def log_chances(self, text: Sequence[int], *, given: int = 0) -> np.ndarray:
        """Log-probabilities in nats (t - given,) of each token of a text after those before it.

        Args:
            given: tokens at the front that are only looked back on.
        """
        stream = np.concatenate([np.full(self.order - 1, self.vocabulary), np.asarray(text, dtype=np.int64)])
        return np.log(self.row_chances(stream[None])[0, self.order - 1 + given :])

    def row_chances(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities (m, t) of each token of rows (m, t) after those before it in its row."""
        found = np.full(rows.shape, 1 / self.vocabulary)
        contexts = np.zeros(rows.shape, dtype=np.int64)
        for level in self.levels:
            grams = self.numbered(level, contexts, rows)
            known, seen = contexts >= 0, grams >= 0
            found[known] *= level.rest[contexts[known]]
            found[seen] += level.chances[grams[seen]]
            contexts = np.full(rows.shape, -1, dtype=np.int64)
            contexts[:, 1:] = grams[:, :-1]
        return found

    def spread(self, contexts: np.ndarray) -> np.ndarray:
        """Probabilities (m, v) of every token after contexts (m, order - 1), of which the last tokens are nearest."""
        if len(contexts) > AT_ONCE:
            return np.concatenate([self.spread(contexts[i : i + AT_ONCE]) for i in range(0, len(contexts), AT_ONCE)])
        found = np.full((len(contexts), self.vocabulary), 1 / self.vocabulary)
        for length, level in enumerate(self.levels):
            numbers = np.zeros(len(contexts), dtype=np.int64)
            for shorter, token in zip(self.levels, contexts[:, self.order - 1 - length :].T, strict=False):
                numbers = self.numbered(shorter, numbers, token)
            rows = np.flatnonzero(numbers >= 0)
            first, last = (np.searchsorted(level.keys, (numbers[rows] + end) * self.symbols) for end in (0, 1))
            found[rows] *= level.rest[numbers[rows], None]
            for row, a, b in zip(rows, first, last, strict=True):
                tokens = level.keys[a:b] % self.symbols
                inside = tokens < self.vocabulary
                found[row, tokens[inside]] += level.chances[a:b][inside]
        return found

    def numbered(self, level: Level, contexts: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Numbers of the n-grams that contexts (by number) and tokens make; -1 for those never seen."""
        keys = contexts * self.symbols + tokens
        places = np.minimum(np.searchsorted(level.keys, keys), len(level.keys) - 1)
        fits = (contexts >= 0) & (tokens >= 0) & (tokens < self.symbols) & (level.keys[places] == keys)
        return np.where(fits, places, -1)

    def fill(self, left: np.ndarray, right: np.ndarray | None = None, *, tried: int = 64) -> np.ndarray:
        """The likeliest token (m,) between what stands left and right of it, (m, order - 1) each, -1 for unknown.

        Of the `tried` likeliest tokens after the left context the one that makes it and all that follows likeliest.
        """
        guesses = []
        for start in range(0, len(left), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            ahead = self.spread(left[part])
            best = np.argsort(-ahead, axis=1, kind="stable")[:, : 1 if right is None else min(tried, self.vocabulary)]
            if right is not None:
                before, after = (np.repeat(side[part], best.shape[1], axis=0) for side in (left, right))
                rows = np.concatenate([before, best.reshape(-1, 1), after], axis=1)
                chances = self.row_chances(rows)[:, self.order - 1 :]
                chances[rows[:, self.order - 1 :] < 0] = 1  # what is unknown asks for nothing
                scores = np.log(chances).sum(1).reshape(best.shape)
                best = np.take_along_axis(best, scores.argmax(1)[:, None], axis=1)
            guesses.append(best[:, 0])
        return np.concatenate(guesses)


def learn(texts: Sequence[Sequence[int]], *, vocabulary: int, order: int = 5, given: int = 0) -> KneserNey:
    """The n-gram model of texts, each a sequence of tokens with nothing before its first one.

    Args:
        vocabulary: number of tokens; probabilities are over all of them.
        order: the longest n-gram's length.
        given: tokens at the front of every text that are looked back on and not learnt, such as control tokens.

    Raises:
        ValueError: there is nothing to learn from, or a token is not below the vocabulary.
    """
    if order < 1 or not any(len(text) > given for text in texts):
        raise ValueError("An n-gram model needs an order of 1 or more and a text with a token to learn.")
    pad = np.full(order - 1, vocabulary, dtype=np.int64)
    stream = np.concatenate([part for text in texts for part in (pad, np.asarray(text, dtype=np.int64))])
    learnt = np.concatenate([np.arange(-order + 1, len(text)) >= given for text in texts])
    if stream.min() < 0 or stream[learnt].max() >= vocabulary:
        raise ValueError(f"Tokens are 0 to {vocabulary - 1}; {stream.min()} to {stream[learnt].max()} were given.")
    symbols, contexts = vocabulary + 1, np.zeros(len(stream), dtype=np.int64)
    tables, numbers = [], []  # sorted keys of every length, and the number of the n-gram that ends at each place
    for _ in range(order):
        keys, ended = np.unique(contexts * symbols + stream, return_inverse=True)
        tables.append(keys)
        numbers.append(ended)
        contexts = np.concatenate([ended[:1], ended[:-1]])
    counts = np.bincount(numbers[-1][learnt], minlength=len(tables[-1]))
    levels: list[Level] = []
    for length in range(order, 0, -1):
        contexts_known = len(tables[length - 2]) if length > 1 else 1
        levels.insert(0, level_of(tables[length - 1], counts, symbols, contexts_known))
        if length > 1:  # each different n-gram counts once for its end, whatever stood before
            ends = np.zeros(len(tables[length - 1]), dtype=np.int64)
            ends[numbers[length - 1]] = numbers[length - 2]
            counts = np.bincount(ends[counts > 0], minlength=contexts_known)
    return KneserNey(vocabulary, tuple(levels))


def level_of(keys: np.ndarray, counts: np.ndarray, symbols: int, contexts: int) -> Level:
    """Discounted chances of n-grams with their counts, and what each of the contexts leaves."""
    of = keys // symbols
    taken = discounts(counts)[np.minimum(counts, 3)]
    totals = np.bincount(of, counts, minlength=contexts)
    left = np.bincount(of, np.minimum(taken, counts), minlength=contexts)
    rest = np.divide(left, totals, out=np.ones(contexts), where=totals > 0)
    chances = np.maximum(counts - taken, 0) / np.maximum(totals, 1)[of]
    return Level(keys, chances, rest)


def discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken of counts of 0, 1, 2 and of 3 and more (Chen and Goodman 1999, equation 26).

    Where too few counts are small for the estimate, a half, 1 and one and a half.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)
    found = np.array([0.0, 0.5, 1.0, 1.5])
    if (n > 0).all():
        share = n[0] / (n[0] + 2 * n[1])
        estimate = np.array([0.0, *(i - (i + 1) * share * n[i] / n[i - 1] for i in (1, 2, 3))])
        if ((estimate[1:] > 0) & (estimate[1:] < [1, 2, 3])).all():
            found = estimate
    return found
