"""The two pictures of a card: a contact sheet with nothing left out, and what went most surely wrong."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from audits.provenance import Claim, seal
from genlab.checkpoint import write
from genlab.data import Data, load
from genlab.studio import codec_pictures, generate, shelf, text_pictures
from genlab.studio.evaluate_grid import GRIDS, nearest
from genlab.studio.pictures import enlarge
from genlab.studio.shelf import Entry

PER_CLASS = 12  # items a row of the contact sheet
SHOWN = 24  # failures
TRIED = 2000  # generated items that failures are looked for among
ROWS = 5  # of the contact sheet of a model without classes
WIDEST = 128  # pixels an item is enlarged to at most, three times at most
CAPTION = 16  # pixels of height under an item


def write_pictures(name: str) -> list[Path]:
    """Write `samples.png` and `failures.png` into the model's folder; a claim inside says what they are.

    Raises:
        ValueError: no such model, or one that neither draws, names nor brings back anything.
    """
    known, folder = shelf.entry(name), shelf.folder_of(name)
    if "generate" in known.capabilities:
        sheets = {"samples.png": contact_sheet(known), "failures.png": misread(known)}
    elif "classify" in known.capabilities:
        sheets = {"samples.png": named_items(known), "failures.png": mistakes(known)}
    elif "autoencode" in known.capabilities:
        sheets = {"samples.png": brought_back(known), "failures.png": worst_brought_back(known)}
    elif "compress" in known.capabilities or "compress-items" in known.capabilities:
        sheets = codec_pictures.sheets(known)
    elif {"write", "fill"} & set(known.capabilities):
        sheets = text_pictures.sheets(known)
    else:
        raise ValueError(f"{name} neither draws, names nor brings back items, so there is nothing to show of it.")
    for file, sheet in sheets.items():
        claim = Claim(known.name, known.weights, "card", 0, {"file": file}, {})
        write(folder / file, seal(sheet, "image/png", claim).media)
    return [folder / file for file in sheets]


def contact_sheet(known: Entry) -> bytes:
    """A row a class (five for all where there is none), consecutive seeds from 0."""
    rows = len(known.classes) or ROWS
    labels = np.repeat(np.arange(rows), PER_CLASS).tolist() if known.classes else None
    items = generate.draw(known.name, 0, labels, rows * PER_CLASS, generate.whole_knobs(known, None))
    captions = [known.classes[c] if known.classes else "" for c in range(rows) for _ in range(PER_CLASS)]
    return sheet_of(items, captions)


def misread(known: Entry) -> bytes:
    """Of `TRIED` items from seed 0 on, those that the judge reads as another class than asked, surest first."""
    labels = generate.labels_of(known, None, TRIED)
    items = generate.draw(known.name, 0, labels, TRIED, generate.whole_knobs(known, None))
    judge = f"judge-{known.data.partition('-')[0]}"
    if known.data in GRIDS or judge not in shelf.names():
        return furthest(items, load(known.data))
    if labels is None:
        return strangest(items, judge, known.data)
    return surest_mistakes(items, np.asarray(labels), verdicts(f"judge-{known.data}"), known.classes)


def named_items(known: Entry) -> bytes:
    """The first test items of every class, with what the classifier names them."""
    data = load(known.data, "test")
    if getattr(shelf.model(known.name), "attributes", None):
        return named_portraits(known, data)
    chosen = np.concatenate([np.flatnonzero(data.labels == c)[:PER_CLASS] for c in range(len(data.names))])
    found = verdicts(known.name)(data.items[chosen]).argmax(1)
    return sheet_of(data.items[chosen], [data.names[c] for c in found])


def mistakes(known: Entry) -> bytes:
    """Test items that the classifier gets wrong, surest first."""
    data: Data = load(known.data, "test")
    if getattr(shelf.model(known.name), "attributes", None):
        return misnamed(known, data)
    return surest_mistakes(data.items, data.labels, verdicts(known.name), data.names)


def brought_back(known: Entry) -> bytes:
    """Test items of every class in their order, and under each row what the model makes of them."""
    data = load(known.data, "test")
    parts, captions = [], []
    for c, name in enumerate(data.names):
        items = data.items[np.flatnonzero(data.labels == c)[:PER_CLASS]]
        seen, back = through(known.name, items)
        parts += [seen, back]
        captions += [name] * len(items) + ["comes back"] * len(items)
    return sheet_of(np.concatenate(parts), captions)


def worst_brought_back(known: Entry) -> bytes:
    """Test items with the largest error, each with what the model makes of it."""
    data = load(known.data, "test")
    seen, back = through(known.name, data.items)
    errors = np.square(back.astype(np.float64) - data.items).reshape(len(seen), -1).mean(1)
    worst = np.argsort(-errors, kind="stable")[: SHOWN // 2]
    shown = np.stack([seen[worst], back[worst]], 1).reshape(-1, *seen.shape[1:])
    captions = [
        text for i in worst for text in (data.names[data.labels[i]], f"{10 * np.log10(255**2 / errors[i]):.1f} dB")
    ]
    return sheet_of(shown, captions, columns=8)


def through(name: str, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the model is shown, with Gaussian noise where it was made to undo it, and what comes back; uint8."""
    import torch

    from genlab.models.corruption import corrupt
    from genlab.seeds import Seeds
    from genlab.studio.pictures import to_bytes

    model = shelf.model(name)
    images = torch.from_numpy(items).to(next(model.parameters()).device).float() / 255
    if "gaussian" in getattr(model, "noise", ()):
        images = corrupt(images, "gaussian", 0.2, seeds=Seeds.count_from(0, len(images), images.device))
    return to_bytes(images), to_bytes(model.reconstruct(images))


def furthest(items: np.ndarray, train: Data) -> bytes:
    """Items that are furthest from every training drawing, in pixels, with the class of the nearest."""
    near = nearest(items.astype(np.float32) / 255, train)
    away = (items.astype(float) - train.items[near]).reshape(len(items), -1)
    order = np.argsort(-np.square(away).mean(1), kind="stable")[:SHOWN]
    return sheet_of(items[order], [train.names[train.labels[near[i]]] for i in order], columns=8)


def strangest(items: np.ndarray, judge: str, data: str) -> bytes:
    """Items that are least like what the judge learnt from, with their distance over its limit.

    A judge of classes has no limit: there those that lie furthest from 10,000 training items in its features, and what
    it takes them for.
    """
    import torch

    model = shelf.model(judge)
    if not getattr(model, "attributes", None):
        from audits.quality.neighbours import nearest_distances
        from genlab.studio.evaluate import COUNT, features, predictions

        known, found = load(data), features(model, items)
        away = nearest_distances(found, features(model, known.items[:COUNT]), k=1)[:, 0]
        order = np.argsort(-away, kind="stable")[:SHOWN]
        named = predictions(model, found[order])
        return sheet_of(items[order], [f"as {known.names[c]}" for c in named], columns=6)
    device = next(model.parameters()).device
    parts = torch.from_numpy(items).split(1024)
    away = torch.cat([model.strangeness(p.to(device).float() / 255) for p in parts]) / model.limit
    order = np.argsort(-away.cpu().numpy(), kind="stable")[:SHOWN]
    return sheet_of(items[order], [f"{float(away[i]):.1f} x limit" for i in order], columns=6)


def attribute_readings(judge: str, data: Data) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The judge's group and its probability, for every attribute and item."""
    import torch

    model, found = shelf.model(judge), {}
    device = next(model.parameters()).device
    for part in torch.from_numpy(data.items).split(1024):
        for name, logits in model.attribute_logits(part.to(device).float() / 255).items():
            found.setdefault(name, []).append(logits.softmax(1).max(1))
    return {
        name: tuple(torch.cat([getattr(part, key) for part in parts]).cpu().numpy() for key in ("indices", "values"))
        for name, parts in found.items()
    }


def named_portraits(known: Entry, data: Data) -> bytes:
    """Test items of every class, with the tone, the hair and the extras that the judge names."""
    from genlab.data.portraits import ATTRIBUTES

    rng = np.random.default_rng(0)
    chosen = np.concatenate([rng.choice(np.flatnonzero(data.labels == c), 6, False) for c in range(len(data.names))])
    found = attribute_readings(known.name, data)
    shown = ("tone", "hair", "glasses", "facial_hair")
    named = [[ATTRIBUTES[name][found[name][0][i]] for name in shown] for i in chosen]
    captions = [", ".join(group for group in groups if not group.startswith("no ")) for groups in named]
    return sheet_of(data.items[chosen], captions, columns=6, wide=2)


def misnamed(known: Entry, data: Data) -> bytes:
    """Test items with an attribute that the judge gets wrong, surest first."""
    from genlab.data.portraits import ATTRIBUTES

    wrong = []
    for name, (group, sure) in attribute_readings(known.name, data).items():
        words = ["none" if word.startswith("no ") else word for word in ATTRIBUTES[name]]
        for i in np.flatnonzero(group != data.attributes[name]):
            wrong.append((-sure[i], int(i), f"{words[data.attributes[name][i]]} > {words[group[i]]}"))
    wrong = sorted(wrong)[:SHOWN]
    return sheet_of(data.items[[i for _, i, _ in wrong]], [text for *_, text in wrong], columns=8)


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

    scale = min(3, max(1, WIDEST // items.shape[2]))
    large = enlarge(items, scale)
    channels, height, width = items.shape[1], items.shape[2] * scale, items.shape[3] * scale
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
