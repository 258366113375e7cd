"""A walk from one code to another: frames, a strip of them, a GIF and a video."""

import functools
from dataclasses import dataclass

import numpy as np

from audits.provenance import Claim, Sealed
from genlab.studio import pictures, shelf
from genlab.studio.encode import Encoded, checked, explorable, pictures_of, rounded, written
from genlab.studio.marking import Drawn, mark_all

PATHS = ("spherical", "linear")
FEWEST, MOST = 3, 60
STRIP = 8  # frames on the strip
RATE = 12  # frames a second
FORMS = {"strip": "image/png", "gif": "image/gif", "mp4": "video/mp4"}


@dataclass(frozen=True)
class Walk:
    """The same frames in three forms, each sealed with action "walk"."""

    strip: Sealed
    gif: Sealed
    mp4: Sealed


def walk(model: str, start: Encoded, end: Encoded, *, frames: object = 24, path: str = "spherical") -> Walk:
    """Go from one code to another and show what lies between.

    Args:
        frames: 3 to 60, both ends among them.
        path: "linear" is the straight line; "spherical" turns at an even pace and changes length evenly, which
            keeps to the shell that Gaussian codes lie on (White 2016).

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    known = explorable(model)
    a, b = checked(known, start.code), checked(known, end.code)
    count = shelf.whole(frames, "number of frames", FEWEST, MOST)
    if path not in PATHS:
        raise shelf.StudioError(f"Paths are {' and '.join(PATHS)}; {str(path)[:40]!r} was given.")
    items = pictures_of(model, between(a, b, count, path))
    inputs = {"from": start.origin[:200], "to": end.origin[:200]}
    knobs = {"start": written(a), "end": written(b), "frames": count, "path": path}
    claims = {f: Claim(known.name, known.weights, "walk", 0, inputs | {"form": f}, knobs) for f in FORMS}
    made = mark_all([(make(items, form), kind, claims[form]) for form, kind in FORMS.items()])
    return Walk(**dict(zip(FORMS, made, strict=True)))


def between(a: np.ndarray, b: np.ndarray, count: int, path: str) -> np.ndarray:
    """Codes (count, d) from a to b, both included."""
    t = np.linspace(0, 1, count)[:, None]
    line = (1 - t) * a + t * b
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if path == "linear" or min(lengths) < 1e-6:
        return rounded(line)
    cosine = float(np.clip(a @ b / (lengths[0] * lengths[1]), -1, 1))
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-3:  # the same direction, or opposite ones with no shortest turn between them
        return rounded(line)
    turn = (np.sin((1 - t) * angle) * a / lengths[0] + np.sin(t * angle) * b / lengths[1]) / np.sin(angle)
    return rounded(turn * ((1 - t) * lengths[0] + t * lengths[1]))


def make(items: np.ndarray, form: str) -> Drawn:
    """The frames (n, c, h, w), to be marked and written in one of `FORMS`."""
    if form == "strip":
        rows = np.linspace(0, len(items) - 1, min(STRIP, len(items))).round().astype(int)
        return Drawn(pictures.grid(pictures.enlarge(items[rows]), len(rows), gap=8), pictures.png)
    write = pictures.gif if form == "gif" else pictures.mp4
    return Drawn(pictures.enlarge(items), functools.partial(write, per_second=RATE))
