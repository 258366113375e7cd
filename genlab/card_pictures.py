"""The two pictures of a card: a contact sheet with nothing left out, and what went most surely wrong."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from audits.provenance import Claim, seal
from genlab.checkpoint import write
from genlab.data import Data, load
from genlab.studio import generate, shelf
from genlab.studio.pictures import enlarge
from genlab.studio.shelf import Entry

PER_CLASS = 12  # items a row of the contact sheet
SHOWN = 24  # failures
TRIED = 2000  # generated items that failures are looked for among
SCALE = 3  # pixels a pixel
CAPTION = 16  # pixels of height under an item


def write_pictures(name: str) -> list[Path]:
    """Write `samples.png` and `failures.png` into the model's folder; a claim inside says what they are.

    Raises:
        ValueError: no such model, or one that neither draws nor names anything.
    """
    known, folder = shelf.entry(name), shelf.folder_of(name)
    if "generate" in known.capabilities:
        sheets = {"samples.png": contact_sheet(known), "failures.png": misread(known)}
    elif "classify" in known.capabilities:
        sheets = {"samples.png": named_items(known), "failures.png": mistakes(known)}
    else:
        raise ValueError(f"{name} neither draws nor names items, so there is nothing to show of it.")
    for file, sheet in sheets.items():
        claim = Claim(known.name, known.weights, "card", 0, {"file": file}, {})
        write(folder / file, seal(sheet, "image/png", claim).media)
    return [folder / file for file in sheets]


def contact_sheet(known: Entry) -> bytes:
    """A row a class (one for all where there is none), consecutive seeds from 0."""
    rows = max(len(known.classes), 1)
    labels = np.repeat(np.arange(rows), PER_CLASS).tolist() if known.classes else None
    items = generate.draw(known.name, 0, labels, rows * PER_CLASS, generate.whole_knobs(known, None))
    captions = [known.classes[c] if known.classes else "" for c in range(rows) for _ in range(PER_CLASS)]
    return sheet_of(items, captions)


def misread(known: Entry) -> bytes:
    """Of `TRIED` items from seed 0 on, those that the judge reads as another class than asked, surest first."""
    labels = generate.labels_of(known, None, TRIED)
    items = generate.draw(known.name, 0, labels, TRIED, generate.whole_knobs(known, None))
    if labels is None:
        return sheet_of(items[:SHOWN], ["not judged"] * SHOWN)
    return surest_mistakes(items, np.asarray(labels), verdicts(f"judge-{known.data}"), known.classes)


def named_items(known: Entry) -> bytes:
    """The first test items of every class, with what the classifier names them."""
    data = load(known.data, "test")
    chosen = np.concatenate([np.flatnonzero(data.labels == c)[:PER_CLASS] for c in range(len(data.names))])
    found = verdicts(known.name)(data.items[chosen]).argmax(1)
    return sheet_of(data.items[chosen], [data.names[c] for c in found])


def mistakes(known: Entry) -> bytes:
    """Test items that the classifier gets wrong, surest first."""
    data: Data = load(known.data, "test")
    return surest_mistakes(data.items, data.labels, verdicts(known.name), data.names)


def verdicts(judge: str) -> Callable[[np.ndarray], np.ndarray]:
    """uint8 items (n, c, h, w) to the judge's probabilities (n, classes)."""
    import torch

    model = shelf.model(judge)
    device = next(model.parameters()).device

    def read(items: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(items).split(1024)
        return torch.cat([model.logits(p.to(device).float() / 255).softmax(1) for p in parts]).cpu().numpy()

    return read


def surest_mistakes(
    items: np.ndarray, labels: np.ndarray, read: Callable[[np.ndarray], np.ndarray], names: tuple[str, ...]
) -> bytes:
    """A sheet of the items read as another class than their label, "label > reading" under each."""
    probabilities = read(items)
    found = probabilities.argmax(1)
    wrong = np.flatnonzero(found != labels)
    wrong = wrong[np.argsort(-probabilities[wrong, found[wrong]], kind="stable")][:SHOWN]
    captions = [f"{names[labels[i]]} > {names[found[i]]}" for i in wrong]
    return sheet_of(items[wrong], captions, columns=6, wide=2)


def sheet_of(items: np.ndarray, captions: list[str], *, columns: int = PER_CLASS, wide: int = 1) -> bytes:
    """Items (n, c, h, w), enlarged, with a caption under each, as a PNG file.

    Args:
        wide: how many items' widths a cell has, for long captions.
    """
    from PIL import Image, ImageDraw, ImageFont

    large = enlarge(items, SCALE)
    channels, height, width = items.shape[1], items.shape[2] * SCALE, items.shape[3] * SCALE
    cell, tall, rows = width * wide + 4, height + CAPTION + 4, max(-(-len(items) // columns), 1)
    sheet = Image.new("L" if channels == 1 else "RGB", (cell * columns, tall * rows))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for i, (item, caption) in enumerate(zip(large, captions, strict=True)):
        left, top = (i % columns) * cell, (i // columns) * tall
        pixels = item[0] if channels == 1 else item.transpose(1, 2, 0)
        sheet.paste(Image.fromarray(np.ascontiguousarray(pixels)), (left + (cell - width) // 2, top))
        white = 255 if channels == 1 else (255, 255, 255)
        pen.text((left + cell // 2, top + height + 1), caption, fill=white, font=font, anchor="ma")
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()
