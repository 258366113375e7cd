"""Training to watch: start a run, look at it, pause, step, continue, stop; what was seen can be replayed."""

import atexit
import functools
import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genlab.studio import training_data
from genlab.studio.shelf import StudioError
from genlab.studio.training_floor import AT_WORK, MOST, PAUSE, STOP, WORK, Floor, Run
from genlab.studio.training_settings import FAMILIES, LOSSES, Wanted, check

ACTIONS = ("pause", "step", "continue", "stop")
STANDINGS = ("waiting", "working", "paused", "parked", "stopped", "done", "failed")


@dataclass(frozen=True)
class Lane:
    """One of the models of a run.

    Attributes:
        title: its loss, or its family, in words.
        speed: steps a second.
        trouble: why it stopped before its end.
        alarms: what the watch found: collapse or divergence, a sentence each.
        curves: name -> (steps, values).
        frame: the latest arrays: points (n, 2), surface (g, g), pictures (n, c, h, w), rates (d,); `at` is their step,
            `weights` the SHA-256 of the average model that made them.
    """

    title: str
    step: int
    seconds: float
    speed: float
    over: bool
    trouble: str
    alarms: tuple[str, ...]
    curves: Mapping[str, tuple[list[int], list[float]]]
    frame: Mapping[str, np.ndarray]
    at: int = 0
    weights: str = ""


@dataclass(frozen=True)
class State:
    """A run as a visitor sees it: `standing` is one of `STANDINGS`, `words` says it in a sentence."""

    run: str
    wanted: Wanted
    standing: str
    place: int
    words: str
    lanes: tuple[Lane, ...]
    notes: tuple[str, ...]

    @property
    def moving(self) -> bool:
        """Whether it will look different in a moment."""
        return self.standing in ("waiting", "working", "parked")


@functools.cache
def _floor(root: str) -> Floor:
    made = Floor(Path(root))
    atexit.register(made.close)
    return made


_opening = threading.Lock()


def floor() -> Floor:
    """The one floor of this program; its folder is `training` in the cache."""
    from genlab.data.fetch import cache_folder

    with _opening:
        return _floor(str(cache_folder() / "training"))


def ready() -> None:
    """Start a process that trains, so that the first run begins at once."""
    floor().free_worker()


# ---- runs by the visitor's key


def new_key() -> str:
    """A key that nobody guesses; a visitor's browser keeps it and finds the run again by it."""
    return secrets.token_urlsafe(18)


def start(key: object, settings: Mapping[str, Any], *, points: object = None, archive: str | None = None) -> State:
    """Begin a run in place of the visitor's earlier one, or wait for a place.

    Args:
        key: as `new_key` made it.
        settings: as `Wanted`, by name.
        points: rows of two numbers in [0, 1], for data "points".
        archive: path of a zip of pictures, for data "own".

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    wanted, here = check(settings), floor()
    name = checked(key)
    folder = here.root / f"{name}-{secrets.token_hex(4)}"
    items, notes = training_data.given(wanted, points, archive)
    with here.lock:
        earlier = here.find(name)
        if earlier is None and not here.has_room():
            raise StudioError(f"{MOST} people train here at the moment: try again in a minute.")
        if earlier is not None:
            here.drop(earlier)
        folder.mkdir(parents=True, exist_ok=True)
        if items is not None:
            np.save(folder / training_data.NAME, items, allow_pickle=False)
        run = Run(name, folder, wanted, notes=notes)
        here.add(run)
    return _state(run)


def state(key: object) -> State | None:
    """How the visitor's run stands, None where there is none; being looked at keeps it going."""
    run = floor().find(checked(key))
    if run is None:
        return None
    floor().look(run)
    return _state(run)


def required_state(key: object) -> State:
    """As `state`; StudioError where there is no run."""
    _required(key)
    return state(key)


def control(key: object, action: object) -> State:
    """Pause, take one step, continue or stop.

    Raises:
        StudioError: there is no run, it is over, or there is no such action.
    """
    if action not in ACTIONS:
        raise StudioError(f"Actions are {', '.join(ACTIONS)}; {str(action)[:40]!r} was given.")
    run = _required(key)
    if run.over or run.wish == STOP:
        raise StudioError("This run is over: start a new one.")
    floor().look(run)
    if action == "step":
        floor().ask(run, PAUSE, steps=1)
    else:
        floor().ask(run, {"pause": PAUSE, "continue": WORK, "stop": STOP}[action])
    return _state(run)


def frames(key: object) -> list[int]:
    """Steps of which the first model's frames are kept, in order."""
    run = floor().find(checked(key))
    return [] if run is None else _kept(run, 0)


def frame(key: object, share: object) -> tuple[State, tuple[Lane, ...]]:
    """The state, and its models as they were at a share from 0 to 1 of what was trained.

    Raises:
        StudioError: there is no run, nothing to replay yet, or no such share.
    """
    number = isinstance(share, int | float) and not isinstance(share, bool)
    if not number or not 0 <= share <= 1:
        raise StudioError(f"A share is a number from 0 to 1; {str(share)[:40]!r} was given.")
    run = _required(key)
    now = _state(run)
    then = []
    for i, lane in enumerate(now.lanes):
        steps = _kept(run, i)
        if not steps:
            raise StudioError("There is nothing to replay yet: start a run first.")
        at = min(steps, key=lambda step: abs(step - share * steps[-1]))
        arrays, weights = read_frame(run.folder / f"lane-{i}", at)
        then.append(
            Lane(lane.title, at, lane.seconds, 0.0, lane.over, "", lane.alarms, lane.curves, arrays, at, weights)
        )
    return now, tuple(then)


def read_frame(folder: Path, step: int) -> tuple[dict[str, np.ndarray], str]:
    """Arrays of a frame that was kept, and the hash of the weights that made them."""
    with np.load(folder / "frames" / f"{step:06d}.npz", allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    return arrays, str(arrays.pop("weights"))


def real_points(key: object) -> np.ndarray:
    """Some of the points that the run learns from, (n, 2); none where it learns pictures."""
    run = _required(key)
    return _real(run.folder, run.wanted)


@functools.lru_cache(maxsize=64)
def _real(folder: Path, wanted: Wanted) -> np.ndarray:
    path = folder / training_data.NAME
    given = np.load(path, allow_pickle=False) if wanted.plane and path.exists() else None
    return training_data.preview(wanted, given)


def folder_of(key: object) -> Path:
    """Where the run lies, for the animation."""
    return _required(key).folder


# ---- in words


def checked(key: object) -> str:
    """The name of a visitor's run.

    Raises:
        StudioError: it is no key.
    """
    if not isinstance(key, str) or not 8 <= len(key) <= 100:
        raise StudioError("A run is found by the key that its start gave: a text of 8 to 100 characters.")
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _required(key: object) -> Run:
    run = floor().find(checked(key))
    if run is None:
        raise StudioError("There is no run under this key: it was never started, or an hour has passed.")
    return run


def _kept(run: Run, lane: int) -> list[int]:
    found = (run.folder / f"lane-{lane}" / "frames").glob("*.npz")
    return sorted(int(path.stem) for path in found if path.stem.isdigit())


def _state(run: Run) -> State:
    from genlab.studio.training_lane import unpacked

    here = floor()
    with here.lock:
        place, told, worker, wish = here.place_of(run), run.report, run.worker, run.wish
        leaving, trouble, over = run.leaving, run.trouble, run.over
    lanes = []
    for row in told["lanes"] if told else []:
        drawn = row["frame"] or {}
        arrays = {name: unpacked(value) for name, value in drawn.items() if isinstance(value, dict)}
        curves = {name: (steps, values) for name, (steps, values) in row["curves"].items()}
        told_of = {name: row[name] for name in ("step", "seconds", "speed", "over", "trouble")}
        lanes.append(
            Lane(
                title=title_of(row["name"]), alarms=tuple(row["alarms"]), curves=curves, frame=arrays,
                at=drawn.get("step", 0), weights=drawn.get("weights", ""), **told_of,
            )
        )  # fmt: skip
    trouble = trouble or " ".join(
        f"{lane.title}: {lane.trouble}" if len(lanes) > 1 else lane.trouble for lane in lanes if lane.trouble
    )
    if over:
        standing = "failed" if trouble and all(lane.trouble for lane in lanes) else "done"
    elif wish == STOP:
        standing = "stopped"
    elif place and wish == WORK:
        standing = "waiting"
    elif wish == PAUSE:
        standing = "paused"
    else:
        standing = "working" if worker is not None and not leaving else "parked"
    return State(
        run.folder.name, run.wanted, standing, place, _words(standing, place, trouble, lanes, run.wanted), tuple(lanes),
        run.notes,
    )  # fmt: skip


def title_of(lane: str) -> str:
    """What a lane is called."""
    return LOSSES[lane][0] if lane in LOSSES else FAMILIES[lane]


def _words(standing: str, place: int, trouble: str, lanes: list[Lane], wanted: Wanted) -> str:
    at = f"step {lanes[0].step:,} of {wanted.steps:,}" if lanes else "no step yet"
    if standing == "waiting":
        return f"{AT_WORK} runs are at work here; yours is number {place} in the queue and starts by itself ({at})."
    if standing == "working" and not lanes:
        return "The model is being built."
    said = {
        "working": f"Training: {at}, {sum(lane.speed for lane in lanes) / max(len(lanes), 1):,.0f} steps a second.",
        "paused": f"Paused at {at}.",
        "parked": f"Saved at {at}; it goes on in a moment.",
        "stopped": f"Stopped at {at}. What was made can be replayed.",
        "done": f"Done: {at}.",
        "failed": "",
    }[standing]
    return " ".join(filter(None, [said, trouble]))
