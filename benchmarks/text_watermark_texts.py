"""Texts that `text_watermark.py` measures: drawn by each method from the same prompts and seeds, kept in the cache."""

import os

import numpy as np
import torch
from text_watermark_peers import METHODS

from genlab.data import texts
from genlab.data.fetch import cache_folder
from genlab.models.gpt import GPT, Knobs, warpers
from genlab.seeds import Seeds

BATCH, PROMPT, PROMPTS = 16, 32, 13  # texts of a prompt; tokens of one; how many there are
MARKED = tuple(name for name in METHODS if name != "unmarked")
SETTINGS = {  # knobs, and the methods that draw so
    "temperature 1": (Knobs(), MARKED),
    "temperature 0.7": (Knobs(temperature=0.7), MARKED[:3]),
    "temperature 0.5": (Knobs(temperature=0.5), MARKED[:1]),
    "top_k 20": (Knobs(top_k=20), MARKED[:1]),
}


class Drawings:
    """Sixteen texts at a time, drawn once.

    Args:
        weights: their hash, which the files are named by.
    """

    def __init__(self, model: GPT, weights: str):
        self.model, self.folder = model, cache_folder() / "text-watermark" / weights[:16]
        stream = [token for text in texts.load("shakespeare", "test").texts for token in model.tokens_of(text)]
        starts = np.linspace(0, len(stream) - PROMPT, PROMPTS).astype(int)
        self.prompts = [stream[start : start + PROMPT] for start in starts]

    def of(self, name: str, setting: str, batch: int, length: int) -> dict[str, np.ndarray]:
        """Texts of a prompt: `tokens`, `log_chances` of these under the model in nats, and `bits`, each (16, length).

        `bits` is the entropy of what is drawn from before a mark goes in, after the knobs.
        """
        file = self.folder / f"{name}-{setting}-{batch}-{length}.npz".replace(" ", "_").replace(",", "")
        if not file.exists():
            drawn = self.drawn(name, SETTINGS[setting][0], batch, length)
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_name(f"unfinished-{os.getpid()}.npz")
            np.savez(unfinished, **drawn)
            unfinished.replace(file)
        with np.load(file) as kept:
            return dict(kept)

    def drawn(self, name: str, knobs: Knobs, batch: int, length: int) -> dict[str, np.ndarray]:
        """Text i of a batch has seed 16 batch + i, and the batch one key."""
        marking = METHODS[name](batch, self.model.vocabulary).drawing(knobs)
        seeds = Seeds.count_from(BATCH * batch, BATCH, self.model.device)
        tokens, found, bits, warp = [], [], [], warpers(knobs)
        for step in self.model.write(self.prompts[batch], seeds, most=length, ends=False, **marking):
            chosen = np.array(step.tokens)
            tokens.append(chosen)
            found.append(step.log_chances[np.arange(BATCH), chosen])
            chances = torch.tensor(step.log_chances)
            chances[:, : len(self.model.special)] = -torch.inf
            logs = warp(None, chances).log_softmax(-1)
            bits.append(-(logs.exp() * logs.clamp(min=-100)).sum(-1).numpy() / np.log(2))
        return {
            "tokens": np.array(tokens, np.int32).T,
            "log_chances": np.array(found, np.float32).T,
            "bits": np.array(bits, np.float32).T,
        }
