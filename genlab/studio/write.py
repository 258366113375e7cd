"""Write: texts of a language model, token by token, marked as they are drawn and sealed with a claim beside them.

Names and other items of a few letters are too short for a mark: they leave with the signed claim alone. Slurs of the
word list are masked in whatever leaves; what was masked is told.
"""

import csv
import functools
import hashlib
import io
import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np

from audits.provenance import Claim, Sealed
from audits.text.words import hidden
from genlab.studio import hub_text, marking, shelf, text_marks
from genlab.studio.shelf import Entry, StudioError
from genlab.studio.write_order import Order, checked, printable

MOST, AT_ONCE = 64, 16  # texts a request, and texts drawn side by side
LONGEST_LIST = 10_000  # items of a collection that are made again from a claim
EVERY = 6  # tokens between two looks at a text that is being written
SHOWN = 5  # likeliest tokens shown beside each


@dataclass(frozen=True)
class Token:
    """One token of a text: its characters, its chance in the model's eyes, and the likeliest ones in its place."""

    text: str
    chance: float
    likeliest: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Text:
    """One text that was written.

    Attributes:
        prompt: what it goes on from, as far as the model saw it.
        tokens: what was drawn.
        groups: attribute -> group, asked for or drawn; of collections only.
        masked: words that the word list hides in `text`.
        ended: whether the model ended it.
    """

    prompt: str
    tokens: tuple[Token, ...]
    text: str
    groups: Mapping[str, str]
    masked: int
    ended: bool


@dataclass(frozen=True)
class Written:
    """What one request wrote.

    Attributes:
        sealed: one file a text, or one of all items of a collection, a line each; the claim is in `sidecar`.
        names: a file name each.
        notes: what should be told: a prompt that was cut, words that were masked, that no mark is in it.
    """

    texts: tuple[Text, ...]
    sealed: tuple[Sealed, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...]

    @functools.cached_property
    def table(self) -> str:
        """A collection's items as CSV: item, and its groups by attribute."""
        rows = io.StringIO()
        attributes = sorted({name for text in self.texts for name in text.groups})
        writer = csv.writer(rows, lineterminator="\n")
        writer.writerow(["item", *attributes])
        writer.writerows([text.text, *(text.groups.get(a, "") for a in attributes)] for text in self.texts)
        return rows.getvalue()


def writers() -> list[Entry]:
    """Models that write: of texts first, of collections after them."""
    return sorted(shelf.with_capability("write"), key=lambda known: bool(known.groups))


def write(
    model: str,
    *,
    prompt: str = "",
    groups: Mapping[str, str | None] | None = None,
    towards: Mapping[str, str | None] | None = None,
    share: object = 0.0,
    seed: object = 0,
    count: object = 1,
    length: object = 200,
    knobs: Mapping[str, object] | None = None,
    most: int = MOST,
) -> Written:
    """All of `steps` at once; arguments and errors are its own."""
    work = steps(
        model, prompt=prompt, groups=groups, towards=towards, share=share, seed=seed, count=count, length=length,
        knobs=knobs, most=most,
    )  # fmt: skip
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def steps(
    model: str,
    *,
    prompt: str = "",
    groups: Mapping[str, str | None] | None = None,
    towards: Mapping[str, str | None] | None = None,
    share: object = 0.0,
    seed: object = 0,
    count: object = 1,
    length: object = 200,
    knobs: Mapping[str, object] | None = None,
    most: int = MOST,
) -> Generator[tuple[Text, ...], None, Written]:
    """Write `count` texts, yielding what stands so far after every few tokens.

    Args:
        model: a model on the shelf that writes, or hub:owner/model, a causal language model of the Hub.
        prompt: what a text goes on from; of one longer than the context the end is kept, and `notes` say so.
        groups: attribute -> group, of models of collections; those left out are drawn.
        towards: groups of the same attributes; the model is told something between the two.
        share: how far towards them, 0 to 1.
        seed: of the first text; text i has `seed + i`.
        count: 1 to `most`.
        length: tokens at most, 1 to 600; a collection's items end by themselves.
        knobs: values by name; those left out keep the model's defaults.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    order = checked(model, prompt, groups, towards, share, seed, count, length, knobs, most)
    finished: list[Text] = []
    for first in range(0, order.count, AT_ONCE):
        so_far: tuple[Text, ...] = ()
        for so_far in drawn(order, order.seed + first, min(AT_ONCE, order.count - first)):
            yield (*finished, *so_far)
        finished += so_far
    return sealed(order, tuple(finished))


def drawn(order: Order, first: int, count: int) -> Generator[tuple[Text, ...], None, None]:
    """Texts as they stand after every few tokens, and at the end."""
    from genlab.models.contract import check_knobs
    from genlab.seeds import Seeds

    network = order.network
    mark = text_marks.adjust_of(order.known, network)
    towards = (network.asked(**order.towards), order.share) if order.towards else None
    work = network.write(
        list(order.tokens), Seeds.count_from(first, count, network.device),
        check_knobs(network.Knobs, order.knobs), most=order.length, adjust=mark, towards=towards,
    )  # fmt: skip
    ids: list[list[int]] = [[] for _ in range(count)]
    told: list[list[Token]] = [[] for _ in range(count)]
    ended = [False] * count
    for number, step in enumerate(work):
        for i, token in enumerate(step.tokens):
            if token < 0:
                continue
            ended[i] = token == network.end
            if token == network.end:
                continue
            ids[i].append(token)
            told[i].append(token_of(network, token, step.log_chances[i]))
        if number % EVERY == EVERY - 1:
            yield tuple(text_of(order, network, *rest) for rest in zip(ids, told, ended, strict=True))
    yield tuple(text_of(order, network, *rest) for rest in zip(ids, told, ended, strict=True))


def token_of(network, token: int, log_chances: np.ndarray) -> Token:
    """A drawn token and the likeliest ones in its place."""
    best = np.argsort(-log_chances)[:SHOWN]
    likeliest = tuple((masked(spelled(network, int(i))), float(np.exp(log_chances[i]))) for i in best)
    return Token(spelled(network, token), float(np.exp(log_chances[token])), likeliest)


def spelled(network, token: int) -> str:
    """A token's characters; the name of a special one."""
    special = getattr(network, "special", ())
    return special[token] if token < len(special) else network.text_of([token])


@functools.lru_cache(maxsize=8192)
def masked(word: str) -> str:
    """A word, a listed slur masked."""
    return hidden(word).text


def text_of(order: Order, network, ids: list[int], told: list[Token], ended: bool) -> Text:
    """A text so far."""
    groups = {}
    if order.known.groups:
        spoken = [network.special[token] for token in (*order.tokens, *ids) if token < len(network.special)]
        groups = dict(told_group(name) for name in spoken if ": " in name)
        told = [token for token in told if not token.text.startswith("<")]
    whole = hidden(order.prompt + printable(network.text_of(ids)))
    return Text(order.prompt, tuple(told), whole.text, groups, whole.count, ended)


def told_group(special: str) -> tuple[str, str]:
    """The attribute and the group of a control token."""
    attribute, _, group = special[1:-1].partition(": ")
    return attribute, group


def sealed(order: Order, texts: tuple[Text, ...]) -> Written:
    """Texts with their claims: a file each, or one of a collection."""
    known, notes = order.known, list(order.notes)
    slurs = sum(text.masked for text in texts)
    if slurs:
        notes.append(f"{slurs} word{'s' * (slurs > 1)} of a list of slurs {'are' if slurs > 1 else 'is'} masked.")
    knobs = order.knobs | {"length": order.length}
    if known.groups:
        inputs = dict(order.groups) | {f"towards {name}": group for name, group in order.towards.items()}
        if order.towards:
            knobs["share"] = order.share
        claim = Claim(known.name, known.weights, "generate", order.seed, inputs | {"items": str(order.count)}, knobs)
        media = "".join(f"{text.text}\n" for text in texts).encode()
        notes.append("Names are too short for a mark: the claim beside them is all that says where they come from.")
        return Written(texts, (marking.mark(media, "text/plain", claim),), ("samples.txt",), tuple(notes))
    if known.family == hub_text.FAMILY:
        notes.append(
            "Texts of a model of the Hub carry no mark: the claim beside one is all that says where it is from."
        )
    inputs = {"prompt": order.prompt} if order.prompt else {}
    claims = [Claim(known.name, known.weights, "generate", order.seed + i, inputs, knobs) for i in range(order.count)]
    if not all(text.text for text in texts):
        notes.append("The model ended a text before its first word: choose another seed.")
    files = [(text.text.encode() or b"\n", "text/plain", claim) for text, claim in zip(texts, claims, strict=True)]
    stem = known.name.removeprefix(hub_text.PREFIX).replace("/", "-")
    names = tuple(f"{stem}-{claim.seed}.txt" for claim in claims)
    return Written(texts, marking.mark_all(files), names, tuple(notes))


def again(known: Entry, claim: Claim) -> Sealed:
    """The text that a claim describes, written again.

    Raises:
        ValueError: the claim's settings are not ones.
    """
    knobs = dict(claim.knobs)
    length, share = knobs.pop("length", 200), knobs.pop("share", 0.0)
    if not known.groups:
        name = f"{known.name}@{claim.weights}" if known.family == hub_text.FAMILY else known.name
        return write(name, prompt=claim.inputs.get("prompt", ""), seed=claim.seed, length=length, knobs=knobs).sealed[0]
    count = claim.inputs.get("items", "1")
    if not (count.isascii() and count.isdigit() and len(count) < 6):
        raise StudioError("The claim's number of items is not a whole number.")
    attributes = [name for name, _ in known.groups]
    groups = {name: claim.inputs.get(name) for name in attributes}
    towards = {name: claim.inputs.get(f"towards {name}") for name in attributes}
    return write(
        known.name,
        groups=groups,
        towards=towards,
        share=share,
        seed=claim.seed,
        count=int(count),
        knobs=knobs,
        most=LONGEST_LIST,
    ).sealed[0]


def listed(written: Written) -> list[dict]:
    """Entries of a manifest.json: {"file", "sha256", "claim"} each."""
    return [
        {"file": name, "sha256": hashlib.sha256(s.media).hexdigest(), "claim": s.claim.as_dict()}
        for name, s in zip(written.names, written.sealed, strict=True)
    ]


def archive(written: Written) -> bytes:
    """A zip file of all texts, their claims, a collection's table, and `manifest.json`."""
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        for name, one in zip(written.names, written.sealed, strict=True):
            files.writestr(zipfile.ZipInfo(name), one.media)
            files.writestr(zipfile.ZipInfo(claim_name(name)), one.sidecar or b"")
        if written.texts and written.texts[0].groups:
            files.writestr(zipfile.ZipInfo("samples.csv"), written.table)
        files.writestr(zipfile.ZipInfo("manifest.json"), json.dumps(listed(written), indent=1) + "\n")
    return packed.getvalue()


def claim_name(file: str) -> str:
    """The name of the signed claim beside a text."""
    return f"{file}.claim.json"
