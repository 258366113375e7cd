"""Draw with a diffusers pipeline of the Hub: models are named `hub:owner/model` or `hub:owner/model@revision`.

Items are drawn one by one, so that none depends on its neighbours: item i has seed `seed` + i, and prompt and class
i mod their number. The revision that drew them stands as `weights` in the claim.
"""

import re
from collections.abc import Generator, Mapping

import numpy as np

from audits.provenance import Claim, Sealed
from genlab.studio import hub, hub_draw, pictures, shelf
from genlab.studio.collect import Step
from genlab.studio.generate import Generated, whole_seed
from genlab.studio.hub_draw import Asks, Item
from genlab.studio.marking import Drawn, mark_all
from genlab.studio.shelf import StudioError

PREFIX = "hub:"
MOST = 8  # items a request
COLUMNS = 4  # of the raw sheet
LONGEST = 1_000  # characters of a prompt
KEPT = 200  # characters of a prompt in the claim
CUT = "…"  # what a prompt ends with that was cut


def is_hub(model: object) -> bool:
    """Whether a name is of a pipeline of the Hub."""
    return isinstance(model, str) and model.startswith(PREFIX)


def generate(
    model: str,
    *,
    label: object = None,
    seed: object = 0,
    count: object = MOST,
    knobs: Mapping[str, object] | None = None,
    offset: int = 0,
) -> Generated:
    """As `steps`, without the steps."""
    work = steps(model, label=label, seed=seed, count=count, knobs=knobs, offset=offset)
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def steps(
    model: str,
    *,
    label: object = None,
    seed: object = 0,
    count: object = MOST,
    knobs: Mapping[str, object] | None = None,
    offset: int = 0,
) -> Generator[Step, None, Generated]:
    """Draw `count` items of a pipeline, a step an item.

    Args:
        model: hub:owner/model, or hub:owner/model@revision.
        label: a class by name or number; None for every class in turn.
        seed: of the first item; item i has `seed` + i.
        count: 1 to 8.
        knobs: {"prompt": text} for pipelines that draw what a text says; several lines are taken in turn.
        offset: where this part starts in a longer request: seeds, prompts and classes go on from there.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    count = shelf.whole(count, "count of a pipeline of the Hub", 1, MOST)
    first = whole_seed(seed, offset + count) + offset
    prompts = prompts_of(knobs)
    name = hub.named(model.removeprefix(PREFIX)).name
    yield Step(0, count, f"loading {name}")
    found = hub.find(model.removeprefix(PREFIX))
    wants = hub_draw.asks(found)
    if wants.text and not prompts:
        raise StudioError(f"{name} draws what a text says: give one prompt or more, one a line (knob prompt).")
    if prompts and not wants.text:
        raise StudioError(f"{name} draws without a text: leave the prompt out.")
    asked = _class_number(name, wants, label)
    items = []
    for i in range(offset, offset + count):
        number = i % max(wants.classes, 1) if asked is None else asked
        items.append(Item(first + i - offset, prompts[i % len(prompts)] if prompts else "", number))
    drawn = []
    for item in items:
        yield Step(len(drawn), count, f"drawing with {name}")
        drawn.append(hub_draw.draw_items(found, [item])[0].transpose(2, 0, 1))
    turned = {"steps": wants.steps} if wants.steps else {}
    claims = [
        Claim(PREFIX + name, found.revision, "generate", item.seed, _inputs(wants, item.prompt, item.label), turned)
        for item in items
    ]
    whole = {"sheet": str(count), "offset": str(offset)} | _inputs(wants, "\n".join(prompts), asked)
    return _sealed(np.stack(drawn), claims, Claim(PREFIX + name, found.revision, "generate", first, whole, turned))


def prompts_of(knobs: Mapping[str, object] | None) -> list[str]:
    """The prompts among the knobs of a request, one a line; none where there is no such knob.

    Raises:
        StudioError: another knob, an empty prompt, or one that is too long.
    """
    if knobs is not None and not isinstance(knobs, Mapping):
        raise StudioError(f"Knobs are names with values, such as {{}}; {str(knobs)[:40]!r} was given.")
    other = [str(name) for name in knobs or {} if name != "prompt"]
    if other:
        raise StudioError(f"The only knob of a pipeline of the Hub is prompt; {other[0][:40]!r} was given.")
    if not knobs:
        return []
    text = knobs["prompt"]
    if not isinstance(text, str):
        raise StudioError(f"A prompt is a text of 1 to {LONGEST:,} characters; {str(text)[:40]!r} was given.")
    prompts = [line.strip() for line in text.splitlines() if line.strip()]
    if not prompts:
        raise StudioError(f"A prompt is a text of 1 to {LONGEST:,} characters, and an empty one was given: write one.")
    if len(prompts) > MOST:
        raise StudioError(f"A request takes {MOST} prompts at most, one a line; {len(prompts):,} were given.")
    longest = max(map(len, prompts))
    if longest > LONGEST:
        raise StudioError(f"A prompt has {LONGEST:,} characters at most; one of {longest:,} was given: shorten it.")
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise StudioError("The prompt holds half a character that no file can keep: write it again.")
    return prompts


def _class_number(name: str, wants: Asks, label: object) -> int | None:
    """The number of a class given by name or number; None and "" stand for all classes."""
    if label is None or label == "":
        return None
    if not wants.classes:
        raise StudioError(f"{name} has no classes: leave the label out.")
    text = str(label).strip().casefold()
    for known, number in wants.names.items():
        if known.casefold() == text:
            return number
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < wants.classes:
        return int(text)
    few = f" or a name, such as {next(iter(wants.names))}" if wants.names else ""
    raise StudioError(f"Classes of {name} are 0 to {wants.classes - 1}{few}; {str(label)[:40]!r} was given.")


def _inputs(wants: Asks, prompt: str, label: int | None) -> dict[str, str]:
    cut = prompt if len(prompt) <= KEPT else prompt[: KEPT - 1] + CUT
    found = {"prompt": cut} if prompt else {}
    return found | ({"label": wants.name(label)} if wants.classes and label is not None else {})


def _sealed(items: np.ndarray, claims: list[Claim], whole: Claim) -> Generated:
    """Items uint8 (n, 3, h, w) and their sheet, marked and sealed."""
    large = pictures.enlarge(items)
    raw = pictures.png(pictures.grid(items, min(len(items), COLUMNS)))
    made = [(Drawn(item, pictures.png), "image/png", claim) for item, claim in zip(large, claims, strict=True)]
    *sealed, sheet = mark_all([*made, (raw, "image/png", whole)])
    slug = re.sub(r"[^\w-]+", "-", whole.model.removeprefix(PREFIX))
    names = tuple(f"{slug}-{claim.seed}.png" for claim in claims)
    height, width = items.shape[-2:]
    return Generated(tuple(sealed), sheet, names, f"{slug}-{whole.seed}-raw-{width}x{height}.png")


# ---- made again


def check_repeatable(claim: Claim) -> None:
    """Whether a claim of a pipeline says enough to make its file again; whether its weights are here comes later.

    Raises:
        StudioError: one sentence why not.
    """
    hub.named(f"{claim.model.removeprefix(PREFIX)}@{claim.weights}")
    if claim.action != "generate":
        raise StudioError(f"This file was made by {claim.action[:40]!r}, which cannot be repeated here.")
    if len(claim.inputs.get("prompt", "")) >= KEPT and claim.inputs["prompt"].endswith(CUT):
        raise StudioError(f"Its claim keeps the first {KEPT} characters of the prompt alone: it cannot be made again.")


def remade(claim: Claim) -> Sealed:
    """What a claim of a pipeline describes, drawn again at the revision that it names.

    Raises:
        ValueError: one sentence: the claim does not say enough, or that revision cannot be had.
    """
    check_repeatable(claim)
    sheet, offset = (claim.inputs.get(key, "0") for key in ("sheet", "offset"))
    if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in (sheet, offset)):
        raise StudioError("The claim's sheet and offset are not whole numbers.")
    made = generate(
        f"{claim.model}@{claim.weights}", label=claim.inputs.get("label"), seed=claim.seed - int(offset),
        count=int(sheet) if "sheet" in claim.inputs else 1, offset=int(offset),
        knobs={"prompt": claim.inputs["prompt"]} if "prompt" in claim.inputs else None,
    )  # fmt: skip
    return made.sheet if "sheet" in claim.inputs else made.pictures[0]
