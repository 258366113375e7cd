"""Read: how unlikely each word of a text is to a language model, where its tokens look, and what fills a gap."""

import re
from dataclasses import dataclass

import numpy as np

from genlab.studio import hub_text, shelf
from genlab.studio.shelf import StudioError
from genlab.studio.write import SHOWN, Token, masked, spelled, token_of

MASK = "[MASK]"
GAP = re.compile(r"\[mask\]|_{2,}", re.IGNORECASE)  # what a visitor may type for a gap
LARGEST = 20_000  # characters of a text that is read
MAPPED = 40  # tokens of an attention map


@dataclass(frozen=True)
class Surprise:
    """A text as a model reads it: its tokens with their chances, and bits for each character."""

    tokens: tuple[Token, ...]
    bits_per_character: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Filled:
    """A text with its gaps, and the likeliest words of each gap with their chances."""

    text: str
    gaps: tuple[tuple[tuple[str, float], ...], ...]


@dataclass(frozen=True)
class Attention:
    """Where each token looks: `weights` (layers, heads, t, t), rows that sum to 1."""

    tokens: tuple[str, ...]
    weights: np.ndarray


def surprise(model: str, text: str) -> Surprise:
    """How unlikely each token of a text is after those before it.

    Raises:
        ValueError: one sentence: the model does not write, or there is no text, or too much.
    """
    import torch

    known, network = hub_text.opened(model, "write")
    given = some_text(text)
    tokens = network.tokens_of(given)
    if not tokens:
        raise StudioError(f"{known.name} knows no letter of this text.")
    nats = network.code_lengths(tokens)
    if len(tokens) < network.context:  # short: what stood to choose from can be shown too
        chances = (
            network.log_chances(torch.tensor([[network.end, *tokens[:-1]]], device=network.device))[0].cpu().numpy()
        )
        told = tuple(token_of(network, token, row) for token, row in zip(tokens, chances, strict=True))
    else:
        told = tuple(Token(spelled(network, t), float(np.exp(-n)), ()) for t, n in zip(tokens, nats, strict=True))
    notes = () if network.text_of(tokens) == given else ("Letters that the model does not know were left out.",)
    return Surprise(told, float(nats.sum() / np.log(2) / len(given)), notes)


def fill(model: str, text: str) -> Filled:
    """The likeliest words for every gap of a text, written [MASK] or ___; all gaps are open at once.

    Raises:
        ValueError: one sentence: the model cannot fill, or there is no gap, or too much text.
    """
    _, network = hub_text.opened(model, "fill")
    given = GAP.sub(f" {MASK} ", some_text(text))
    if MASK not in given:
        raise StudioError(f"The text has no gap: write {MASK} or ___ for the word that is to be guessed.")
    gaps = []
    for row in network.fill(network.tokens_of(given.replace(MASK, network.mask))):
        best = np.argsort(-row)[:SHOWN]
        gaps.append(tuple((masked(spelled(network, int(i))), float(np.exp(row[i]))) for i in best))
    return Filled(" ".join(given.split()), tuple(gaps))


def attention(model: str, text: str) -> Attention:
    """Where the tokens of a text look, at most its first 40.

    Raises:
        ValueError: one sentence: the model has no attention, or there is no text.
    """
    known = shelf.require(model, "attend")
    network = shelf.model(known.name)
    tokens = network.tokens_of(
        GAP.sub(f" {MASK} ", some_text(text)) if "fill" in known.capabilities else some_text(text)
    )
    tokens = tokens[:MAPPED]
    if not tokens:
        raise StudioError(f"{known.name} knows no letter of this text.")
    shown = network.framed(tokens) if "fill" in known.capabilities else tokens
    return Attention(tuple(spelled(network, token) for token in shown), network.attentions(tokens))


def readers() -> list[shelf.Entry]:
    """Models whose attention can be looked at: those that tell a text's surprise first, of collections last."""
    found = shelf.with_capability("attend")
    return sorted(found, key=lambda known: (bool(known.groups), "write" not in known.capabilities))


def size_of(model: str) -> tuple[int, int]:
    """Layers and heads of a model that has attention."""
    known = shelf.require(model, "attend")
    config = shelf.model(known.name).network.config
    return config.num_hidden_layers, config.num_attention_heads


def some_text(text: object) -> str:
    """A text to read, without what a model cannot see.

    Raises:
        StudioError: it is none, empty or too long.
    """
    if not isinstance(text, str) or not text.strip():
        raise StudioError("There is no text to read: write or paste some.")
    if len(text) > LARGEST:
        raise StudioError(f"The text has {len(text):,} characters; at most {LARGEST:,} are read.")
    return text.replace("\r\n", "\n")
