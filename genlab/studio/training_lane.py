"""One model learning live: iterates `fit`, keeps its curves, and what it makes from the same noise as it learns."""

import base64
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from genlab.studio.training_curves import Curves, kept
from genlab.studio.training_data import modes_of
from genlab.studio.training_settings import Wanted, arguments

KEPT, EARLY = 60, (1, 2, 5, 10, 20)  # frames for the time slider, and steps of the first ones
POINTS, GRID, SHEET = 500, 32, 16  # generated points, cells a side of the decision surface, pictures
REAL = 1000  # real items that the watch compares with: twice as many as the points
HELD = 256  # real items that the KL of each latent is measured on
BETWEEN = {True: 0.15, False: 1.0}  # seconds between two frames on the page: of points, of pictures
SAVE = 5.0  # seconds between saves
EMA = 0.99


class Lane:
    """A run of one loss in a folder of its own; `advance` is one step of training.

    Attributes:
        step: steps done.
        over: nothing is left to do.
        trouble: why the run stopped before its end.
        alarms: what the watch has found, a sentence each.
    """

    def __init__(self, folder: Path, wanted: Wanted, name: str, items: np.ndarray, labels: np.ndarray, device: str):
        import torch

        from genlab.fit import Batches, fit
        from genlab.models import build
        from genlab.seeds import Seeds

        self.folder, self.wanted, self.name = folder, wanted, name
        (folder / "frames").mkdir(parents=True, exist_ok=True)
        with torch.random.fork_rng():
            torch.manual_seed(wanted.seed)
            self.model = build(wanted.family, arguments(wanted, name, items.shape[1:])).to(device)
        count = POINTS if wanted.plane else SHEET
        self.noise = Seeds.count_from(wanted.seed, count, device).randn(wanted.latent)
        self.held = torch.as_tensor(items[:HELD]).to(device)
        self.held = self.held.float() / 255 if self.held.dtype == torch.uint8 else self.held
        self.modes, self.curves = modes_of(wanted.data), Curves()
        self.step, self.over, self.trouble, self.frame = 0, False, "", None
        self.speed = 0.0
        self.seconds, self.drawn, self.clock = 0.0, 0.0, (time.monotonic(), 0)
        self.alarms: list[str] = []
        self.watch = watch_over(items, wanted)
        self.restore()
        batches = Batches(items, labels, batch=wanted.batch, seed=wanted.seed, device=device)
        self.run = None
        if not self.over:
            self.run = fit(
                self.model, batches, steps=wanted.steps, lr=wanted.lr, ema=EMA, seed=wanted.seed,
                resume=folder / "resume.pt", save_seconds=SAVE,
            )  # fmt: skip

    # ---- what lies in the folder

    @property
    def note(self) -> Path:
        return self.folder / "lane.json"

    def restore(self) -> None:
        """Curves and the latest frame as they were left."""
        if not self.note.exists():
            return
        told = json.loads(self.note.read_text(encoding="utf-8"))
        self.curves, self.step, self.over = Curves.restored(told["curves"]), told["step"], told["over"]
        self.trouble, self.seconds, self.frame = told["trouble"], told["seconds"], told["frame"]
        self.alarms = told["alarms"]

    def keep(self) -> None:
        """Write them, whole or not at all."""
        told = {"curves": self.curves.state(), "step": self.step, "over": self.over, "trouble": self.trouble}
        told["alarms"] = self.alarms
        partial = self.note.with_suffix(".partial")
        partial.write_text(json.dumps(told | {"seconds": self.seconds, "frame": self.frame}), encoding="utf-8")
        os.replace(partial, self.note)

    def cut(self, step: int) -> None:
        """The saved state is that of `step`: what was shown after it comes again."""
        self.curves.cut(step)
        for path in self.frames():
            if int(path.stem) > step:
                path.unlink()
        if self.watch is not None:  # it looks again at what is kept, so that it knows what it had seen
            self.alarms = []
            for path in self.frames():
                with np.load(path, allow_pickle=False) as frame:
                    self.look(int(path.stem), {name: frame[name] for name in frame.files}, {})

    def frames(self) -> list[Path]:
        return sorted((self.folder / "frames").glob("*.npz"))

    # ---- training

    def advance(self) -> None:
        """One step; the first one after a pause of the process begins where the last save was."""
        from genlab.fit import Diverged

        try:
            progress = next(self.run)
        except Diverged as error:
            self.trouble, self.over = str(error), True
            self.keep()
            return
        if progress.step != self.step + 1:
            self.cut(progress.step - 1)
        self.step, self.seconds = progress.step, progress.seconds
        self.curves.add(self.step, progress.losses)
        now = time.monotonic()
        last = self.step == self.wanted.steps
        lasting = last or self.step in EARLY or self.step % max(1, self.wanted.steps // (KEPT - len(EARLY))) == 0
        if lasting or now - self.drawn > BETWEEN[self.wanted.plane]:
            arrays = self.draw(progress.average, lasting=lasting)
            if lasting:
                self.look(self.step, arrays, progress.losses)
            self.drawn = time.monotonic()
        if now - self.clock[0] > 1:
            self.speed = (self.step - self.clock[1]) / (now - self.clock[0]) if self.clock[1] else 0.0
            self.clock = now, self.step
        if last:
            self.over = True
            self.run.close()
            self.keep()
            (self.folder / "resume.pt").unlink(missing_ok=True)

    def park(self) -> None:
        """Save, and give everything back but the folder."""
        if self.run is not None:
            self.run.close()
        if not self.over:
            self.keep()

    # ---- what it makes

    def look(self, step: int, frame: dict[str, np.ndarray], losses: dict[str, float]) -> None:
        """Let the watch look at a frame that is kept."""
        if self.watch is not None:
            found = self.watch.look(step, frame.get("points"), losses=losses, kl=frame.get("rates"))
            self.alarms += [alarm.reading for alarm in found]

    def draw(self, average: Any, *, lasting: bool) -> dict[str, np.ndarray]:
        """A frame from the average model, the surface from the critic as it is; a lasting one goes to the folder."""
        arrays = self.frame_of(average)
        self.curves.add(self.step, self.figures(arrays))
        digest = hashlib.sha256()
        for value in average.state_dict().values():
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        self.frame = {"step": self.step, "weights": digest.hexdigest(), **{k: packed(v) for k, v in arrays.items()}}
        if lasting:
            path = self.folder / "frames" / f"{self.step:06d}.npz"
            partial = path.with_suffix(".partial")
            with partial.open("wb") as stream:
                np.savez(stream, weights=np.array(digest.hexdigest()), **arrays)
            os.replace(partial, path)
            staying = set(kept([int(p.stem) for p in self.frames()], KEPT))
            for old in self.frames():
                if int(old.stem) not in staying:
                    old.unlink()
        return arrays

    def frame_of(self, average: Any) -> dict[str, np.ndarray]:
        """Points (n, 2) and surface (g, g), or pictures uint8 (n, c, h, w); of a VAE the KL of each latent (d,) too."""
        import torch

        average.eval()
        with torch.no_grad():
            make = average.paint if self.wanted.family == "gan" else average.decode
            made = make(self.noise).float().cpu()
            found: dict[str, np.ndarray] = {}
            if self.wanted.family == "vae":
                found["rates"] = average.latent_rates(self.held).float().cpu().numpy()
            if not self.wanted.plane:
                return found | {"pictures": made.mul(255).round().clamp(0, 255).to(torch.uint8).numpy()}
            found["points"] = made.numpy()
            if self.wanted.family == "gan":
                middles = (torch.arange(GRID) + 0.5) / GRID
                y, x = torch.meshgrid(middles, middles, indexing="ij")
                scores = self.model.decide(torch.stack([x, y], -1).view(-1, 2).to(self.noise.device))
                found["surface"] = scores.float().cpu().numpy().reshape(GRID, GRID)
        return found

    def figures(self, frame: dict[str, np.ndarray]) -> dict[str, float]:
        """What is measured on a frame: effective modes where the truth is known, silent latents of a VAE."""
        found: dict[str, float] = {}
        if self.modes is not None:
            from genlab.metrics.modes import mode_coverage

            seen = mode_coverage(frame["points"], self.modes[0], self.modes[1])
            found |= {"modes": seen.effective, "near": seen.high_quality}
        if "rates" in frame:
            found["kl"] = float(frame["rates"].sum())
        return found

    def report(self) -> dict[str, Any]:
        """What the page is told."""
        return {
            "name": self.name, "step": self.step, "seconds": self.seconds, "speed": self.speed, "over": self.over,
            "trouble": self.trouble, "alarms": self.alarms, "curves": self.curves.as_dict(), "frame": self.frame,
        }  # fmt: skip


def watch_over(items: np.ndarray, wanted: Wanted) -> Any:
    """What looks at the run for collapse and divergence; None where there are too few real items to compare with.

    Of pictures it looks at losses and latents alone: a sheet is too small to tell what it leaves out.
    """
    from genlab.metrics.collapse import Watch

    if len(items) < 100:
        return None
    rows = np.random.default_rng(wanted.seed).permutation(len(items))[:REAL]
    real = items[np.sort(rows)]
    return Watch(real if wanted.plane else real.reshape(len(real), -1)[:, :8], steps=wanted.steps, seed=wanted.seed)


def packed(array: np.ndarray) -> dict[str, Any]:
    """An array as JSON holds it."""
    array = np.ascontiguousarray(array)
    return {"type": array.dtype.str, "shape": array.shape, "data": base64.b64encode(array.tobytes()).decode()}


def unpacked(told: dict[str, Any]) -> np.ndarray:
    """What `packed` was given."""
    return np.frombuffer(base64.b64decode(told["data"]), np.dtype(told["type"])).reshape(told["shape"])
