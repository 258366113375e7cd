"""What the page and the endpoint do with detectors: learn from an example or an upload, keep a few, judge by them."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audits.bias.pictures import contents
from genlab.studio import detect, detect_examples, detect_files, detect_inputs
from genlab.studio.collect import Step, loose
from genlab.studio.detect import Judged, Learnt
from genlab.studio.detect_inputs import Items
from genlab.studio.shelf import StudioError

FIRST = "shirt"  # the example that the page opens with
KEPT = 6  # detectors in memory, of all visitors together
Files = Sequence[tuple[str, Path]]
_kept: OrderedDict[str, Learnt] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class Wanted:
    """What is normal: an example by name, or uploaded files of a kind, or an uploaded detector; and by which score."""

    example: str = ""
    kind: str = "images"
    normal: tuple[tuple[str, Path], ...] = ()
    detector: Path | None = None
    method: str = "combined"


def learn(wanted: Wanted) -> Generator[Step, None, tuple[str, Learnt]]:
    """A detector and the key it is kept under for a while; one that is kept already comes at once.

    Raises:
        ValueError: one sentence about what was given.
    """
    known = (*detect.METHODS, *detect.NETWORK)
    if wanted.method not in known:
        raise StudioError(f"Scores are {', '.join(known)}; {str(wanted.method)[:40]!r} was given.")
    key = key_of(wanted)
    found = kept(key)
    if found is None and wanted.detector is not None:
        yield Step(0, 0, "opening the detector")
        found = detect_files.opened(wanted.detector)
    elif found is None:
        yield Step(0, 0, "reading the normal set")
        normal = detect_examples.pair(wanted.example)[0] if wanted.example else uploaded(wanted.normal, wanted.kind)
        found = yield from detect.learn(normal, method=wanted.method)
    with _lock:
        _kept[key] = found
        _kept.move_to_end(key)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return key, found


def key_of(wanted: Wanted) -> str:
    """The same for the same normal items and score."""
    digest = hashlib.sha256(f"{wanted.example}/{wanted.kind}/{wanted.method}".encode())
    for name, path in [*wanted.normal, *([("", wanted.detector)] if wanted.detector else [])]:
        digest.update(f"/{name}/".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def kept(key: str | None) -> Learnt | None:
    """A detector that is still in memory."""
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
        return _kept.get(key)


def judge(learnt: Learnt, *, example: str = "", test: Files = ()) -> Judged:
    """Judge uploaded items, or those that belong to an example.

    Raises:
        ValueError: one sentence about what was given.
    """
    if test:
        columns = None if learnt.kind == "images" else learnt.columns
        return detect.judge(learnt, uploaded(test, learnt.kind, columns))
    if not example:
        raise StudioError("Nothing to test was uploaded: give items to judge.")
    return detect.judge(learnt, detect_examples.pair(example)[1])


def uploaded(files: Files, kind: str, columns: Sequence[str] | None = None) -> Items:
    """Uploaded items: one zip or any number of pictures, or one CSV."""
    if not files:
        raise StudioError("Nothing was uploaded: give a zip, pictures or a CSV first.")
    if kind == "images" and not any(_is(path, *detect_inputs.TABLES) for _, path in files):
        if len(files) == 1 and _is(files[0][1], ".zip"):
            return detect_inputs.read_pictures(contents(files[0][1]), files[0][0])
        return detect_inputs.read_pictures(loose(files), f"{len(files):,} files")
    if len(files) > 1:
        raise StudioError("Give one CSV at a time.")
    return detect_inputs.read(files[0][1], kind, columns)


def _is(path: Path, *endings: str) -> bool:
    return path.suffix.lower() in endings


def origin(wanted: Wanted, learnt: Learnt) -> str:
    """Where the normal items came from, in words."""
    if wanted.example:
        return detect_examples.pair(wanted.example)[2]
    if wanted.detector is not None:
        return f"{learnt.count:,} items, as the detector given says"
    return f"{learnt.count:,} items you gave"
