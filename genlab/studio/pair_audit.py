"""Which of two sentences that differ in one group of words a language model finds more probable, set by set.

A causal model gives the log-probability of a sentence, a masked one its pseudo-log-likelihood. The sentences are those
of `audits.text.templates`; the tests are those of `audits.text.pairs`.
"""

from collections.abc import Generator, Sequence

from audits.bias.pictures import Items
from audits.text.pairs import pair_preferences
from audits.text.templates import MEANINGS, Pair, sets
from genlab.studio import shelf
from genlab.studio.collect import Collected, Gathering, Step
from genlab.studio.shelf import Entry, StudioError

AT_ONCE = 10  # pairs between two looks at how far it is


def scored(known: Entry) -> bool:
    """Whether a model gives sentences a probability: it writes texts, or guesses hidden words."""
    return "fill" in known.capabilities or ("write" in known.capabilities and not known.groups)


def sentence_score(network, sentence: str) -> tuple[float, int]:
    """The (pseudo-)log-probability of a sentence in nats, and its tokens.

    Raises:
        StudioError: the model has no token for anything in it.
    """
    tokens = network.tokens_of(sentence)
    if not tokens:
        raise StudioError(f"The model has no token for anything in {sentence[:60]!r}.")
    masked = hasattr(network, "pseudo_code_lengths")
    lengths = network.pseudo_code_lengths(tokens) if masked else network.code_lengths(tokens)
    return -float(lengths.sum()), len(tokens)


def pair_table(name: str, pairs: Sequence[Pair] | None = None) -> Generator[Step, None, object]:
    """The pairs, our own by default, with a model's scores, as the table that `pair_preferences` takes.

    Raises:
        ValueError: no such model, or it gives sentences no probability.
    """
    import pandas as pd

    known = shelf.entry(name)
    if not scored(known):
        able = ", ".join(e.name for e in scorers()) or "none yet"
        raise StudioError(f"{name} gives sentences no probability; models that do are {able}.")
    network, pairs, rows = shelf.model(name), sets() if pairs is None else pairs, []
    for i, pair in enumerate(pairs):
        if i % AT_ONCE == 0:
            yield Step(i, len(pairs), f"reading sentences with {name}")
        first, second = (sentence_score(network, sentence) for sentence in (pair.first, pair.second))
        rows.append((pair.set, str(i), pair.first, pair.second, first[0], second[0], first[1], second[1], pair.side))
    yield Step(len(pairs), len(pairs), f"reading sentences with {name}")
    columns = ("set", "pair", "first", "second", "score_first", "score_second", "tokens_first", "tokens_second", "side")
    return pd.DataFrame(rows, columns=columns)


def gathered(name: str) -> Gathering:
    """The report on a model's preferences, as an audit of no items: all of it is in `further`."""
    import pandas as pd

    table = yield from pair_table(name)
    report = pair_preferences(table, meanings=MEANINGS)
    command = ("python", "-m", "genlab", "audit", name)
    return Collected(name, Items(pd.DataFrame(), (), ()), further=report, command=command, scores=table)


def scorers() -> list[Entry]:
    """Models on the shelf that give sentences a probability."""
    return [known for able in ("write", "fill") for known in shelf.with_capability(able) if scored(known)]
