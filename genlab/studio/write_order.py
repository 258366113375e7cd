"""What a text is asked for: a request that was checked, and how much of a prompt a model sees."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genlab.studio import hub_text, shelf
from genlab.studio.generate import whole_knobs, whole_seed
from genlab.studio.shelf import Entry, StudioError

SHORTEST, LONGEST = 1, 600  # tokens that are drawn
LARGEST_PROMPT = 2**20  # characters that are looked at
NAME_LENGTH = 40  # tokens of an item of a collection


@dataclass(frozen=True)
class Order:
    """A request that was checked."""

    known: Entry
    network: Any
    prompt: str
    tokens: tuple[int, ...]
    groups: Mapping[str, str]
    towards: Mapping[str, str]
    share: float
    seed: int
    count: int
    length: int
    knobs: dict[str, float | str]
    notes: tuple[str, ...]


def checked(model, prompt, groups, towards, share, seed, count, length, knobs, most) -> Order:
    """The request as an `Order`; arguments and errors are those of `write.steps`."""
    known, network = hub_text.opened(model, "write")
    count = shelf.whole(count, "count", 1, most)
    length = shelf.whole(length, "length", SHORTEST, LONGEST)
    first = whole_seed(seed, count)
    turned = whole_knobs(known, knobs) if known.family != hub_text.FAMILY else hub_text.checked_knobs(network, knobs)
    given, other = (dict(asked or {}) for asked in (groups, towards))
    given = {name: group for name, group in given.items() if group}
    other = {name: group for name, group in other.items() if group}
    between = isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1
    if not between:
        raise StudioError(f"The share is a number from 0 to 1; {str(share)[:40]!r} was given.")
    if not known.groups:
        if given or other:
            raise StudioError(f"{known.name} has no groups to ask for: leave them out.")
        kept, tokens, notes = prompt_of(network, prompt)
        return Order(known, network, kept, tokens, {}, {}, 0.0, first, count, length, turned, notes)
    if prompt and str(prompt).strip():
        raise StudioError(f"{known.name} writes items from nothing: leave the prompt out, and ask for groups instead.")
    tokens = tuple(network.started(**given))
    if other and (set(other) != set(given) or len(given) != len(known.groups)):
        raise StudioError("To go from one group to another, ask for every attribute at both ends.")
    network.asked(**other)
    return Order(known, network, "", tokens, given, other, float(share), first, count, NAME_LENGTH, turned, ())


def prompt_of(network, prompt: object) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
    """What the model sees of a prompt, its tokens, and what is to be told of it."""
    if not isinstance(prompt, str):
        raise StudioError(f"The prompt is text; {str(prompt)[:40]!r} was given.")
    if len(prompt) > LARGEST_PROMPT:
        raise StudioError(f"The prompt has {len(prompt):,} characters; at most {LARGEST_PROMPT:,} are taken.")
    text = printable(prompt)
    whole = text == prompt.replace("\r\n", "\n")
    notes = [] if whole else ["Control characters of the prompt were left out."]
    room = network.context // 2  # so that a text begins with its own half
    tail = text[-8 * room :]  # a token is eight characters at most, or hardly more
    tokens = network.tokens_of(tail)
    if len(tokens) > room or len(tail) < len(text):
        tokens = tokens[-room:]
        kept = network.text_of(tokens).lstrip("\ufffd")
        tokens = network.tokens_of(kept)
        notes.append(f"The prompt is longer than the model looks back: its last {len(kept):,} characters were kept.")
        text = kept
    return text, tuple(tokens), tuple(notes)


def printable(text: str) -> str:
    """A text with one kind of line end and without control characters, which can hide what is written."""
    joiner = "\u200d"  # of emoji
    kept = (c for c in text.replace("\r\n", "\n") if c in f"\n\t{joiner}" or unicodedata.category(c)[0] != "C")
    return "".join(kept)
