"""What a run shows, as pictures: sealed sheets of what it makes, and its replay as an animation.

Sheets and animations leave sealed, with a claim that names the weights of that very step; points and surfaces that a
page draws itself are numbers.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audits.provenance import Claim, Sealed
from genlab.studio import pictures, training
from genlab.studio.marking import Drawn, mark, mark_all
from genlab.studio.shelf import StudioError
from genlab.studio.training import Lane
from genlab.studio.training_settings import Wanted

COLUMNS = 4
RATE = 8  # frames a second
PLOT = 288  # pixels a side of a drawn plane
PAPER, REAL, MADE = (250, 251, 250), (147, 161, 156), (163, 27, 27)
LOW, HIGH = (58, 84, 138), (214, 150, 60)  # of the surface: the critic calls it generated, or real


@dataclass(frozen=True)
class Animation:
    """The replay of a run in two forms, each sealed."""

    gif: Sealed
    mp4: Sealed


def sheet(wanted: Wanted, lane: Lane) -> Sealed:
    """The pictures that a lane made of its noise, side by side and enlarged, as a sealed PNG."""
    large = pictures.enlarge(pictures.grid(lane.frame["pictures"], COLUMNS, gap=1), factor(lane.frame["pictures"]))
    claim = claim_of(wanted, lane.title, lane.weights, {"step": str(lane.at), "sheet": str(COLUMNS**2)})
    return mark(Drawn(large, pictures.png), "image/png", claim)


def factor(items: np.ndarray) -> int:
    """By how much a sheet of items is enlarged: to some 340 pixels."""
    return max(1, round(340 / (COLUMNS * items.shape[-1])))


def claim_of(wanted: Wanted, title: str, weights: str, further: dict[str, str]) -> Claim:
    """Who made it: a model that lived for this run alone, named by its settings."""
    knobs = {name: value for name, value in wanted.as_dict().items() if isinstance(value, int | float)}
    inputs = {"data": wanted.data, "loss": title, **further}
    return Claim(f"{wanted.family}-{wanted.data}-live", weights, "train", wanted.seed, inputs, knobs)


def animation(key: object) -> Animation:
    """Every kept frame of a run, its two models side by side, as GIF and MP4.

    Raises:
        StudioError: fewer than two frames are kept yet.
    """
    now = training.state(key)
    steps = training.frames(key)
    if now is None or len(steps) < 2:
        raise StudioError("There is nothing to replay yet: let a run take some steps first.")
    folder, real = training.folder_of(key), training.real_points(key)
    shown, weights = [], ""
    for step in steps:
        columns = []
        for i in range(len(now.lanes)):
            found = nearest(folder / f"lane-{i}", step)
            arrays, weights = training.read_frame(folder / f"lane-{i}", found)
            columns.append(drawn(arrays, real, found, now.wanted.steps))
        shown.append(np.concatenate(columns, 2))
    title = " and ".join(lane.title for lane in now.lanes)
    forms = {"gif": ("image/gif", pictures.gif), "mp4": ("video/mp4", pictures.mp4)}
    frames = np.stack(shown)
    items = [
        (
            Drawn(frames, functools.partial(write, per_second=RATE)), kind,
            claim_of(now.wanted, title, weights, {"form": form, "frames": str(len(frames)), "step": str(steps[-1])}),
        )
        for form, (kind, write) in forms.items()
    ]  # fmt: skip
    return Animation(*mark_all(items))


def nearest(folder: Path, step: int) -> int:
    """The kept frame of a lane that is nearest to a step."""
    kept = [int(path.stem) for path in (folder / "frames").glob("*.npz") if path.stem.isdigit()]
    return min(kept, key=lambda other: abs(other - step))


def drawn(arrays: dict[str, np.ndarray], real: np.ndarray, step: int, steps: int) -> np.ndarray:
    """One frame, uint8 (3, h, w): the plane or the sheet, and a bar below that says how far the run was."""
    if "pictures" in arrays:
        sheet = pictures.enlarge(pictures.grid(arrays["pictures"], COLUMNS, gap=1), factor(arrays["pictures"]))
        canvas = sheet if len(sheet) == 3 else np.repeat(sheet, 3, 0)
    else:
        canvas = plane(arrays.get("points"), arrays.get("surface"), real)
    foot = np.full((3, 10, canvas.shape[2]), 228, np.uint8)
    foot[:, 2:8, : max(1, round(canvas.shape[2] * step / steps))] = np.array((11, 101, 96), np.uint8)[:, None, None]
    gap = np.full((3, canvas.shape[1] + 10, 6), 255, np.uint8)
    return np.concatenate([np.concatenate([canvas, foot], 1), gap], 2)


def plane(points: np.ndarray | None, surface: np.ndarray | None, real: np.ndarray) -> np.ndarray:
    """Real and generated points on the surface of what the critic thinks, uint8 (3, side, side); y points up."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (PLOT, PLOT), PAPER)
    if surface is not None:
        image.paste(Image.fromarray(shaded(surface)).resize((PLOT, PLOT), Image.Resampling.BILINEAR))
    draw = ImageDraw.Draw(image)
    for found, colour, size in ((real, REAL, 1), (points if points is not None else real[:0], MADE, 2)):
        for x, y in np.nan_to_num(found, nan=-1.0).clip(-1, 2) * PLOT:
            draw.ellipse((x - size, PLOT - y - size, x + size, PLOT - y + size), fill=colour)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def shaded(surface: np.ndarray) -> np.ndarray:
    """A critic's numbers (g, g), rows from y = 0 up, as uint8 (g, g, 3), the top row first: blue low, amber high."""
    values = np.nan_to_num(surface[::-1].astype(np.float64))
    middle = np.median(values)
    spread = max(float(np.abs(values - middle).max()), 1e-9)
    t = (0.5 + 0.5 * (values - middle) / spread)[..., None]
    pale = 0.55 * 255
    low, high = (0.45 * np.array(c) + pale for c in (LOW, HIGH))
    return ((1 - t) * low + t * high).round().clip(0, 255).astype(np.uint8)


def surface_png(surface: np.ndarray) -> bytes:
    """The surface as a small PNG: numbers as colours, for a page to draw points on."""
    return pictures.png(np.ascontiguousarray(shaded(surface).transpose(2, 0, 1)))
