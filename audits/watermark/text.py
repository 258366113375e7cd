"""A keyed mark in generated text: which of the likely tokens comes next is decided by a secret knock-out tournament.

Theory (Dathathri et al., "Scalable watermarking for identifying large language model outputs", Nature 634, 2024). Draw
2^30 candidates from the model's distribution p and let them meet in pairs, layer by layer; the one with the larger
g-value goes on, a coin decides between equals. With g of 0 or 1 the winner of a layer has the distribution

    p'(x) = p(x) (1 + g(x) - sum_y p(y) g(y)),

so nothing need be drawn: thirty such steps give the last winner's distribution exactly. Every g is a fair coin to
those without the key, and the mean of p' over it is p: no single text can be told from an unmarked one. A reader with
the key sees g-values of 1 more often than half of the time, and needs no model for it.

The coins here are a pseudo-random function of a 256-bit key, derived from the installation's secret: HMAC-SHA256 of
the last four tokens seeds SHAKE-256, which fills a table of layers by 256 tokens for each block of the vocabulary. So
a reader fills one block for each token, whatever the size of the vocabulary, and pairs of context and token say
nothing of the key. In a context that came before, the coins would fall as before: there the distribution is left as
it is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from audits.watermark.streams import WatermarkError, derive

BLOCK = 256  # tokens whose coins are drawn at once
LARGEST = 2**24  # tokens of a vocabulary
DEEPEST = 60  # layers
LONGEST = 16  # tokens of a context
SLACK = 1e-3  # by which a sum of probabilities may differ from 1, for those computed in float16 or bfloat16
CHUNK = 4096  # contexts whose coins are in memory at once: 4 MB


@dataclass(frozen=True)
class Tournament:
    """A mark: who knows all four can write and read it.

    Attributes:
        key: the installation's secret, at least 16 bytes; the mark's own key is derived from it.
        vocabulary: tokens, numbered from 0.
        context: how many tokens before a token decide on its coins.
        depth: layers of the tournament.

    Raises:
        WatermarkError: a key that is too short, or a number out of its range.
    """

    key: bytes = field(repr=False)
    vocabulary: int
    context: int = 4
    depth: int = 30

    def __post_init__(self):
        derive(self.key, "", 1)
        for name, low, high in (("vocabulary", 2, LARGEST), ("context", 1, LONGEST), ("depth", 1, DEEPEST)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise WatermarkError(
                    f"The {name} of a text mark is a whole number from {low} to {high:,}; {str(value)[:40]} was given."
                )

    def adjust(self, tokens: Sequence[int], probabilities: np.ndarray) -> np.ndarray:
        """The distribution of the next token as the tournament leaves it: (v,) float64 that sums to 1.

        It is the one given where there are fewer tokens than a context, or where this context came before.

        Args:
            tokens: all tokens so far, the prompt's too.
            probabilities: the model's distribution (v,) after temperature and truncation.

        Raises:
            WatermarkError: token ids outside of the vocabulary, or probabilities that are no distribution over it.
        """
        p, ids = self._distribution(probabilities), self.ids(tokens)
        if len(ids) < self.context or self._repeated(ids):
            return p
        for g in self.coins(ids[-self.context :]):
            p *= g + (1 - min(1.0, p @ g))
        return p

    def coins(self, context: np.ndarray) -> np.ndarray:
        """The g-values of every token after a context (c,): float64 (depth, v) of 0 and 1."""
        seed = self._seed(np.ascontiguousarray(context, "<u4").tobytes())
        blocks = -(-self.vocabulary // BLOCK)
        drawn = b"".join(self._block(seed, i) for i in range(blocks))
        bits = np.unpackbits(np.frombuffer(drawn, np.uint8)).reshape(blocks, self.depth, BLOCK)
        return bits.transpose(1, 0, 2).reshape(self.depth, -1)[:, : self.vocabulary].astype(np.float64)

    def coins_of(self, contexts: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """The g-values of one token after each of n contexts: (n, c) and (n,) -> uint8 (n, depth) of 0 and 1."""
        found = np.empty((len(tokens), self.depth), np.uint8)
        for start in range(0, len(tokens), CHUNK):
            part = np.ascontiguousarray(contexts[start : start + CHUNK], "<u4").tobytes()
            ids, length = tokens[start : start + CHUNK], 4 * self.context
            drawn = b"".join(
                self._block(self._seed(part[i * length : (i + 1) * length]), block)
                for i, block in enumerate((ids // BLOCK).tolist())
            )
            planes = np.frombuffer(drawn, np.uint8).reshape(len(ids), self.depth, BLOCK // 8)
            place = ids % BLOCK
            byte = planes[np.arange(len(ids)), :, place // 8]
            found[start : start + CHUNK] = byte >> (7 - place % 8)[:, None] & 1
        return found

    def ids(self, tokens: Sequence[int]) -> np.ndarray:
        """The tokens as int64 (n,).

        Raises:
            WatermarkError: they are no whole numbers from 0 to v - 1.
        """
        try:
            ids = np.asarray(tokens)
            fine = ids.ndim == 1 and (not ids.size or ids.dtype.kind in "iu")
        except (ValueError, TypeError, OverflowError):  # lists of unlike lengths, for one
            fine = False
        allowed = f"Tokens are a list of whole numbers from 0 to {self.vocabulary - 1:,}"
        if not fine:
            raise WatermarkError(f"{allowed}; something else was given.")
        wrong = ids[(ids < 0) | (ids >= self.vocabulary)]
        if wrong.size:
            raise WatermarkError(f"{allowed}; {wrong[0]} was given: use the tokeniser of the model that was marked.")
        return ids.astype(np.int64)

    def _distribution(self, probabilities: np.ndarray) -> np.ndarray:
        try:
            p = np.array(probabilities, np.float64)
        except (ValueError, TypeError):
            p = np.empty(0)
        if p.shape != (self.vocabulary,):
            raise WatermarkError(
                f"Probabilities have shape ({self.vocabulary},), one for each token; {p.shape} was given."
            )
        total = p.sum()
        if not p.min() >= 0 or not abs(total - 1) <= SLACK:
            raise WatermarkError(
                f"Probabilities are 0 or more and sum to 1; the smallest here is {p.min():.3g} and the sum {total:.6g}."
            )
        return p / total

    def _repeated(self, ids: np.ndarray) -> bool:
        """Whether the last context preceded a token before."""
        c, n = self.context, len(ids)
        same = np.ones(n - c, bool)
        for k in range(c):
            same &= ids[k : n - c + k] == ids[n - c + k]
        return bool(same.any())

    def _seed(self, context: bytes) -> bytes:
        return hmac.digest(derive(self.key, "genlab watermark 1 text", 32), context, "sha256")

    def _block(self, seed: bytes, number: int) -> bytes:
        return hashlib.shake_256(seed + number.to_bytes(4, "little")).digest(self.depth * BLOCK // 8)
