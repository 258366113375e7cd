"""Example items that ship with the repository: a few hundred held-out items of each data set, to explore offline."""

import functools
import json
from pathlib import Path

import numpy as np

from genlab.data import Data, professions

FOLDER = Path(__file__).resolve().parent / "examples"
SHOWN_BY = {"portraits-biased": "portraits-balanced"}  # a mix of the same drawings is shown by the balanced one


@functools.cache
def about(name: str) -> dict:
    """What `<name>.json` says: size, columns, labels, class names, licence, attribution, caveats. Loads no pictures.

    Raises:
        ValueError: no examples of this data set are shipped.
    """
    name = SHOWN_BY.get(name, name)
    known = sorted(path.stem for path in FOLDER.glob("*.json"))
    if name not in known:
        raise ValueError(f"Example items are shipped of {', '.join(known) or 'no data set'}; {name!r} was given.")
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def class_names(name: str, classes: int) -> tuple[str, ...]:
    """Names of a data set's classes, without loading any item; class numbers where nothing is known."""
    if name == "professions" and classes == len(professions.TRAINED):
        return professions.TRAINED
    try:
        names = tuple(about(name)["names"])
    except ValueError:
        names = ()
    return names if len(names) == classes else tuple(str(c) for c in range(classes))


@functools.cache
def load(name: str) -> Data:
    """The example items of a data set, all from its test split; items uint8 (n, c, h, w).

    Raises:
        ValueError: no examples of this data set are shipped.
    """
    from PIL import Image

    told, name = about(name), SHOWN_BY.get(name, name)
    side, columns, count = told["side"], told["columns"], len(told["labels"])
    with Image.open(FOLDER / f"{name}.png", formats=["PNG"]) as image:
        sheet = np.asarray(image)
    sheet = sheet.reshape(sheet.shape[0], sheet.shape[1], -1)
    rows = sheet.shape[0] // side
    tiles = sheet.reshape(rows, side, columns, side, -1).transpose(0, 2, 4, 1, 3)
    items = np.ascontiguousarray(tiles.reshape(rows * columns, -1, side, side)[:count])
    labels = np.asarray(told["labels"], np.int64)
    names, caveats = tuple(told["names"]), tuple(told["caveats"])
    return Data(name, "test", items, labels, names, told["licence"], told["attribution"], caveats)


def write(data: Data, *, per_class: int = 50, columns: int = 25, folder: Path = FOLDER) -> None:
    """Pick the first `per_class` items of every class and write sheet and labels; how the shipped files were made."""
    from PIL import Image

    rows = np.sort(np.concatenate([np.flatnonzero(data.labels == c)[:per_class] for c in range(len(data.names))]))
    items = data.items[rows]
    channels, side = items.shape[1], items.shape[2]
    blank = np.zeros((-len(items) % columns, *items.shape[1:]), np.uint8)
    tiles = np.concatenate([items, blank]).reshape(-1, columns, channels, side, side).transpose(0, 3, 1, 4, 2)
    sheet = tiles.reshape(-1, columns * side, channels)
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(folder / f"{data.name}.png", optimize=True)
    told = {
        "data": data.name,
        "split": data.split,
        "side": side,
        "columns": columns,
        "rows_of_the_split": rows.tolist(),
        "labels": data.labels[rows].tolist(),
        "names": list(data.names),
        "licence": data.licence,
        "attribution": data.attribution,
        "caveats": list(data.caveats),
    }
    (folder / f"{data.name}.json").write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")
