"""Where live runs are worked on: two processes that train, a queue before them, and a folder for each run.

Nobody looking for `PARK` seconds parks a run: it is saved, and its place at work is free. Looking again brings it back,
after a restart too, since all of it lies in its folder. A run that nobody has looked at for an hour is removed.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genlab.studio.training_settings import Wanted, check

AT_WORK = 2  # runs
PARK, TURN, REST = 15.0, 60.0, 3.0  # seconds: unseen; at work, or paused, while others wait
EXPIRE, IDLE = 3600.0, 300.0  # seconds: a run unseen, a process without work
MOST = 200  # runs that are kept
DEATHS = 2  # of its process that a run survives
WORK, PAUSE, STOP = "work", "pause", "stop"  # what the visitor wants
REPOSITORY = Path(__file__).resolve().parents[2]
log = logging.getLogger(__name__)


class Worker:
    """One process that trains. `hear` is called with every line it says, and with None when it is gone."""

    def __init__(self, hear: Callable[["Worker", dict[str, Any] | None], None]):
        ways = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
        environment = {**os.environ, "PYTHONPATH": ways, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "genlab.studio.training_worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, encoding="utf-8", env=environment,
        )  # fmt: skip
        self.run: Run | None = None
        self.free_since = time.monotonic()
        threading.Thread(target=self._listen, args=(hear,), name="training-reports", daemon=True).start()

    def tell(self, **order: Any) -> None:
        """One order; a process that is gone says so through `hear`."""
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except (OSError, ValueError):
            log.warning("A training process does not listen any more")

    def leave(self) -> None:
        """Ask it to save and end."""
        self.tell(do="leave")

    def _listen(self, hear) -> None:
        for line in self.process.stdout:
            try:
                hear(self, json.loads(line))
            except Exception:
                log.exception("A report of a training process was not understood")
        self.process.wait()
        hear(self, None)


@dataclass(eq=False)
class Run:
    """A visitor's run: what is wanted, where it lies, and the last that was heard of it.

    `name` is the visitor's; the folder is this run's own, so that a process still busy with an earlier one meets
    nothing of it.
    """

    name: str
    folder: Path
    wanted: Wanted
    wish: str = WORK
    notes: tuple[str, ...] = ()
    seen: float = field(default_factory=time.monotonic)
    report: dict[str, Any] | None = None
    worker: Worker | None = None
    since: float = 0.0  # when its turn began, or its pause
    leaving: bool = False
    owed: int = 0
    deaths: int = 0
    trouble: str = ""

    @property
    def over(self) -> bool:
        return bool(self.trouble) or bool(self.report and self.report["over"])

    def write(self) -> None:
        """Note what is wanted, so that a restart finds it."""
        told = {"wanted": self.wanted.as_dict(), "wish": self.wish, "notes": self.notes, "trouble": self.trouble}
        partial = self.folder / "run.partial"
        partial.write_text(json.dumps(told), encoding="utf-8")
        os.replace(partial, self.folder / "run.json")


class Floor:
    """All runs of this program, and the thread that looks after them."""

    def __init__(self, root: Path):
        self.root, self.lock = root, threading.RLock()
        self.runs: dict[str, Run] = {}
        self.waiting: list[Run] = []
        self.workers: list[Worker] = []
        self.closed = threading.Event()
        root.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._watch, name="training-floor", daemon=True).start()

    # ---- what visitors do

    def add(self, run: Run) -> None:
        with self.lock:
            self.runs[run.name] = run
            run.write()
            self.enqueue(run)

    def find(self, name: str) -> Run | None:
        """A run by its name: one at hand, or one that an earlier program left in its folder."""
        with self.lock:
            if name not in self.runs:
                found = [run for folder in self.root.glob(f"{name}-*") if (run := left(folder))]
                if not found:
                    return None
                self.runs[name] = max(found, key=lambda run: (run.folder / "run.json").stat().st_mtime)
            return self.runs[name]

    def look(self, run: Run) -> None:
        """Somebody looks at it: what was parked goes on."""
        with self.lock:
            run.seen = time.monotonic()
            if run.wish == WORK and not run.over and run.worker is None and run not in self.waiting:
                self.enqueue(run)

    def ask(self, run: Run, wish: str, *, steps: int = 0) -> None:
        """Change what is wanted of it."""
        with self.lock:
            run.wish, run.owed, run.since = wish, steps, time.monotonic()
            run.write()
            if wish == STOP or (wish == PAUSE and not steps):
                self.waiting = [other for other in self.waiting if other is not run]
            if run.worker is None or run.leaving:
                if wish != STOP and not run.over and (steps or wish == WORK):
                    self.enqueue(run)
            elif wish == STOP:
                self.park(run)
            elif steps:
                run.owed = 0
                for _ in range(steps):
                    run.worker.tell(do="step")
            else:
                run.worker.tell(do="pause" if wish == PAUSE else "continue")

    def drop(self, run: Run) -> None:
        """Forget it, folder and all."""
        with self.lock:
            self.runs.pop(run.name, None)
            self.waiting = [other for other in self.waiting if other is not run]
            if run.worker is not None:
                run.worker.tell(do="drop")
                self.release(run)
            shutil.rmtree(run.folder, ignore_errors=True)

    def has_room(self) -> bool:
        """Whether another run can be kept; the one that was looked at longest ago makes room, unless somebody looks."""
        with self.lock:
            if len(self.runs) >= MOST:
                oldest = min(self.runs.values(), key=lambda run: run.seen)
                if time.monotonic() - oldest.seen > PARK:
                    self.drop(oldest)
            return len(self.runs) < MOST

    def place_of(self, run: Run) -> int:
        """Its place in the queue from 1; 0 where it does not wait."""
        with self.lock:
            return self.waiting.index(run) + 1 if run in self.waiting else 0

    # ---- who works at what

    def enqueue(self, run: Run) -> None:
        if run not in self.waiting:
            self.waiting.append(run)
        self.arrange()

    def arrange(self) -> None:
        """Park what nobody looks at and what has had its turn; begin what waits while there is a place."""
        with self.lock:
            now = time.monotonic()
            self.waiting = [run for run in self.waiting if now - run.seen <= PARK]
            for run in [w.run for w in self.workers if w.run is not None]:
                resting = run.wish == PAUSE and now - run.since > REST
                had = self.waiting and (resting or now - run.since > TURN)
                if now - run.seen > PARK or had:
                    self.park(run)
            while self.waiting:
                ready = [run for run in self.waiting if run.worker is None]
                worker = self.free_worker() if ready else None
                if worker is None:
                    return
                run = ready[0]
                self.waiting.remove(run)
                run.worker, worker.run, run.since, run.leaving = worker, run, now, False
                worker.tell(do="begin", folder=str(run.folder), paused=run.wish == PAUSE)
                for _ in range(run.owed):
                    worker.tell(do="step")
                run.owed = 0

    def free_worker(self) -> Worker | None:
        """A process without work, a new one where there may be another; None where all are at work."""
        with self.lock:
            for worker in self.workers:
                if worker.run is None:
                    return worker
            if len(self.workers) >= AT_WORK:
                return None
            self.workers.append(Worker(self.hear))
            return self.workers[-1]

    def park(self, run: Run) -> None:
        if run.worker is not None and not run.leaving:
            run.leaving = True
            run.worker.tell(do="park")

    def release(self, run: Run) -> None:
        run.worker.run, run.worker.free_since = None, time.monotonic()
        run.worker, run.leaving = None, False

    def hear(self, worker: Worker, told: dict[str, Any] | None) -> None:
        """A report, or the end of a process."""
        with self.lock:
            run = worker.run
            if told is None:
                self.workers = [other for other in self.workers if other is not worker]
                if run is not None and not self.closed.is_set():
                    self.lost(run)
                return
            if run is None or told.get("run") != run.folder.name:
                return
            if "failed" in told:
                run.trouble = told["failed"] or "Training failed here, not by what you did: start it again."
                run.write()
                self.release(run)
            else:
                run.report = told
                if told.get("parked") or told["over"]:
                    if not told.get("parked"):
                        worker.tell(do="drop")
                    self.release(run)
                    seen = time.monotonic() - run.seen <= PARK
                    if run.wish == WORK and seen and not run.over and run not in self.waiting:
                        self.waiting.append(run)
            if worker.run is None:
                self.arrange()

    def lost(self, run: Run) -> None:
        """Its process is gone: another one goes on from the last save, unless that happens again and again."""
        self.release(run)
        run.deaths += 1
        if run.deaths > DEATHS:
            run.trouble = "The process that trained this run ended several times: choose a smaller batch."
            run.write()
        elif run.wish == WORK:
            self.waiting.insert(0, run)
        self.arrange()

    # ---- looking after it all

    def _watch(self) -> None:
        swept = 0.0
        while not self.closed.wait(0.5):
            try:
                self.arrange()
                if time.monotonic() - swept > 20:
                    self.sweep()
                    swept = time.monotonic()
            except Exception:
                log.exception("The runs could not be looked after")

    def sweep(self) -> None:
        """Remove runs that nobody has looked at for long, here and on disk, and processes without work."""
        with self.lock:
            now = time.monotonic()
            for run in list(self.runs.values()):
                if now - run.seen > EXPIRE:
                    self.drop(run)
                elif now - run.seen < PARK and run.folder.exists():
                    os.utime(run.folder / "run.json")
            for folder in self.root.iterdir():
                note = folder / "run.json"
                age = time.time() - (note if note.exists() else folder).stat().st_mtime
                if folder not in {run.folder for run in self.runs.values()} and age > EXPIRE:
                    shutil.rmtree(folder, ignore_errors=True)
            for worker in self.workers:
                if worker.run is None and now - worker.free_since > IDLE:
                    worker.leave()

    def close(self) -> None:
        """End every process; what they were at is saved."""
        self.closed.set()
        with self.lock:
            workers = list(self.workers)
        for worker in workers:
            worker.leave()
        for worker in workers:
            try:
                worker.process.wait(20)
            except subprocess.TimeoutExpired:
                worker.process.kill()


def left(folder: Path) -> Run | None:
    """The run that lies in a folder, as it was left; None where there is none that can be read."""
    from genlab.studio.training_curves import Curves

    try:
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        run = Run(folder.name.partition("-")[0], folder, check(told["wanted"]), told["wish"], tuple(told["notes"]))
        run.trouble, lanes = told["trouble"], []
        for i, name in enumerate(run.wanted.lanes):
            note = folder / f"lane-{i}" / "lane.json"
            if not note.exists():
                return run
            lane = json.loads(note.read_text(encoding="utf-8"))
            lanes.append(lane | {"name": name, "speed": 0.0, "curves": Curves.restored(lane["curves"]).as_dict()})
        run.report = {"over": all(lane["over"] for lane in lanes), "lanes": lanes}
        return run
    except (OSError, ValueError, KeyError, TypeError):
        return None
