"""Our mark for text and its peers in transformers, each with a way to draw and a way to read.

A method is built for a key number and a size of vocabulary. `drawing(knobs)` are the arguments with which
`GPT.write` marks; `p_values(rows)` reads each row of tokens. Peers work on what is left after the knobs, as they do
in transformers' `generate`, so they come after the knobs among its processors.

- SynthID: `SynthIDTextWatermarkLogitsProcessor`, thirty layers and five tokens as ours. The library reads with a
  detector trained for each key; the mean and the weighted mean of the paper need none, and stand here on the library's
  g-values with the normal distribution of as many fair coins. A context counts once, as the library masks them.
- Green lists: `WatermarkLogitsProcessor` with bias 2 and the token before as context, read as `WatermarkDetector`
  does, repeated pairs counted once or each time. Its lists are looked up in a table, of which a test says that nothing
  but the time changes.
"""

import functools
import hashlib

import numpy as np
import torch
from scipy.stats import norm
from transformers import LogitsProcessorList, SynthIDTextWatermarkLogitsProcessor, WatermarkLogitsProcessor

from audits.watermark.text import Tournament
from audits.watermark.text_detection import counted_places, detect
from genlab.models.gpt import Knobs, warpers

CONTEXT, DEPTH, BIAS = 4, 30, 2.0


def secret(number: int) -> bytes:
    """The secret of a key number, 32 bytes."""
    return hashlib.sha256(b"text watermark %d" % number).digest()


def draws_of(number: int) -> np.random.Generator:
    """Where a peer's own keys are drawn from."""
    return np.random.default_rng([20, number])


class Unmarked:
    """No mark."""

    def __init__(self, number: int, vocabulary: int):
        pass

    def drawing(self, knobs: Knobs) -> dict:
        return {"knobs": knobs}


class Ours:
    """The tournament with a pseudo-random function, and the exact p-value."""

    def __init__(self, number: int, vocabulary: int):
        self.mark = Tournament(secret(number), vocabulary, CONTEXT, DEPTH)

    def drawing(self, knobs: Knobs) -> dict:
        return {"knobs": knobs, "adjust": lambda item, tokens, chances: self.mark.adjust(tokens, chances)}

    def p_values(self, rows) -> np.ndarray:
        return np.array([detect(row, [self.mark]).p_value for row in rows])


class SynthID:
    """transformers' tournament; read by the mean g-value, its layers weighted as the paper's or not."""

    def __init__(self, number: int, vocabulary: int, weighted: bool = True):
        keys = draws_of(number).integers(0, 2**16, DEPTH).tolist()
        self.build = functools.partial(
            SynthIDTextWatermarkLogitsProcessor, CONTEXT + 1, keys, 2**16, 0, 1024, torch.device("cpu")
        )
        weights = np.linspace(10, 1, DEPTH) if weighted else np.ones(DEPTH)
        self.weights, self.reader = weights / weights.sum(), self.build()

    def drawing(self, knobs: Knobs) -> dict:
        return {"knobs": Knobs(), "processors": LogitsProcessorList([*warpers(knobs), self.build()])}

    def values(self, stream) -> np.ndarray:
        """The weighted mean g-value of each token of a stream from the fifth on: (n - 4,)."""
        found = self.reader.compute_g_values(torch.as_tensor(np.asarray(stream, np.int64))[None])
        return found[0].numpy() @ self.weights

    def p_of(self, means, counts) -> np.ndarray:
        """Of the mean over so many contexts."""
        return norm.sf((means - 0.5) / np.sqrt((self.weights**2).sum() / 4 / counts))

    def p_values(self, rows) -> np.ndarray:
        rows = [np.asarray(row) for row in rows]
        values = np.concatenate([np.zeros(CONTEXT), self.values(np.concatenate(rows))])
        found, start = [], 0
        for row in rows:
            places = start + counted_places(row, CONTEXT)
            found.append(self.p_of(values[places].mean(), len(places)))
            start += len(row)
        return np.array(found)


class GreenList:
    """Kirchenbauer's soft green list: a share of the tokens, chosen by the one before, is made likelier."""

    def __init__(self, number: int, vocabulary: int, ratio: float = 0.25, once: bool = True):
        self.ratio, self.once, self.vocabulary = ratio, once, vocabulary
        self.key = int(draws_of(number).integers(2**20, 2**31))
        self.build = functools.partial(
            WatermarkLogitsProcessor, vocabulary, "cpu", greenlist_ratio=ratio, bias=BIAS, hashing_key=self.key
        )

    def drawing(self, knobs: Knobs) -> dict:
        return {"knobs": Knobs(), "processors": LogitsProcessorList([*warpers(knobs), self.build()])}

    @functools.cached_property
    def green(self) -> np.ndarray:
        """Whether a token is green after another: bool (v, v), the earlier one first."""
        table, writer = np.zeros((self.vocabulary, self.vocabulary), bool), self.build()
        for token in range(self.vocabulary):
            table[token, writer._get_greenlist_ids(torch.tensor([token])).numpy()] = True
        return table

    def p_values(self, rows) -> np.ndarray:
        found = []
        for row in rows:
            row = np.asarray(row, np.int64)
            pairs = row[:-1] * self.vocabulary + row[1:]
            if self.once:
                pairs = np.unique(pairs)
            hits = self.green.ravel()[pairs].sum()
            spread = np.sqrt(len(pairs) * self.ratio * (1 - self.ratio))
            found.append(norm.sf((hits - self.ratio * len(pairs)) / spread))
        return np.array(found)


METHODS = {
    "unmarked": Unmarked,
    "ours": Ours,
    "SynthID": SynthID,
    "green list, ratio 0.25": functools.partial(GreenList, ratio=0.25),
    "green list, ratio 0.5": functools.partial(GreenList, ratio=0.5),
}
READERS = {  # of unmarked text
    "ours": Ours,
    "SynthID, weighted mean": SynthID,
    "SynthID, mean": functools.partial(SynthID, weighted=False),
    "green list 0.25, repeats ignored": functools.partial(GreenList, ratio=0.25),
    "green list 0.25, repeats counted": functools.partial(GreenList, ratio=0.25, once=False),
    "green list 0.5, repeats ignored": functools.partial(GreenList, ratio=0.5),
    "green list 0.5, repeats counted": functools.partial(GreenList, ratio=0.5, once=False),
}


class Recalled:
    """Our mark with the coins of some rows (n, length) looked up: `detect` takes it in the place of a `Tournament`.

    Each run of five tokens is computed once, whatever windows it lies in.
    """

    def __init__(self, mark: Tournament, rows: np.ndarray):
        if mark.vocabulary ** (mark.context + 1) >= 2**63:
            raise ValueError(f"Runs of {mark.context + 1} tokens of {mark.vocabulary:,} do not fit into 64 bits.")
        self.vocabulary, self.context, self.depth, self.ids = mark.vocabulary, mark.context, mark.depth, mark.ids
        runs = np.lib.stride_tricks.sliding_window_view(rows, mark.context + 1, axis=1).reshape(-1, mark.context + 1)
        self.known, first = np.unique(self.numbered(runs[:, :-1], runs[:, -1]), return_index=True)
        self.coins = mark.coins_of(runs[first, :-1], runs[first, -1])

    def numbered(self, contexts: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        number = np.zeros(len(tokens), np.int64)
        for column in (*contexts.T, tokens):
            number = number * self.vocabulary + column
        return number

    def coins_of(self, contexts: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        return self.coins[np.searchsorted(self.known, self.numbered(contexts, tokens))]
