"""The process that trains: told what to do in lines of JSON, it reports in lines of JSON, and saves when it is left.

A process of its own, because a run would otherwise share the interpreter's lock and the global random state with the
page and with other runs: the page must not wait for it, and its numbers must not depend on who else is here.
"""

import json
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any

REPORT = 0.1  # seconds between two reports
NICE = 2  # the page comes first


class Job:
    """The lanes of one run, advanced in turn."""

    def __init__(self, folder: Path, *, paused: bool):
        from genlab.studio import training_data, training_settings
        from genlab.studio.training_lane import Lane

        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        wanted = training_settings.check(told["wanted"])
        items, labels = training_data.items_of(wanted, folder)
        device = place(wanted.plane)
        self.folder, self.paused, self.owed = folder, paused, 0
        self.lanes = [
            Lane(folder / f"lane-{i}", wanted, name, items, labels, device) for i, name in enumerate(wanted.lanes)
        ]

    @property
    def over(self) -> bool:
        return all(lane.over for lane in self.lanes)

    @property
    def idle(self) -> bool:
        return self.over or (self.paused and not self.owed)

    def advance(self) -> None:
        """One step of every lane that has one left; a step that was asked for shows at once."""
        for lane in self.lanes:
            if not lane.over:
                if self.owed:
                    lane.drawn = 0.0
                lane.advance()
        self.owed = max(0, self.owed - 1)

    def park(self) -> None:
        for lane in self.lanes:
            lane.park()

    def report(self) -> dict[str, Any]:
        lanes = [lane.report() for lane in self.lanes]
        return {"run": self.folder.name, "over": self.over, "paused": self.paused, "lanes": lanes}


def place(plane: bool) -> str:
    """Points are learnt faster on the CPU; pictures on a GPU of ours, never on one that is lent for seconds."""
    from genlab.device import ZERO_GPU, serving_device

    return "cpu" if plane or ZERO_GPU else serving_device()


def main() -> None:
    """Serve until the one who started this process is gone."""
    os.nice(NICE)
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # whatever prints must not land among the reports
    orders: queue.Queue = queue.Queue()
    threading.Thread(target=listen, args=(orders,), daemon=True).start()
    import torch

    torch.set_num_threads(1)

    def say(told: dict[str, Any]) -> None:
        try:
            out.write(json.dumps(told) + "\n")
        except OSError:
            os._exit(0)

    say({"ready": True})
    job: Job | None = None
    spoken, name = 0.0, ""
    while True:
        try:
            order = orders.get(block=job is None or job.idle, timeout=None)
        except queue.Empty:
            order = None
        try:
            if order is not None:
                name = Path(order.get("folder", name)).name
                job = obey(order, job, say)
                spoken = 0.0
            elif job is not None:
                job.advance()
        except Exception as error:
            import traceback

            traceback.print_exc()
            known = isinstance(error, ValueError | RuntimeError) and type(error).__module__.startswith("genlab")
            say({"run": name, "failed": str(error) if known else ""})
            job = None
            continue
        if job is not None and (job.idle or time.monotonic() - spoken > REPORT):
            say(job.report())
            spoken = time.monotonic()


def obey(order: dict[str, Any], job: Job | None, say) -> Job | None:
    """Do what a line says; returns the job that there is then."""
    what = order.get("do")
    if what == "leave":
        if job is not None:
            job.park()
        os._exit(0)
    if what == "drop":
        return None
    if what == "begin":
        return Job(Path(order["folder"]), paused=bool(order["paused"]))
    if job is None:
        return None
    if what == "park":
        job.park()
        say(job.report() | {"parked": True})
        return None
    if what == "step":
        job.paused, job.owed = True, job.owed + 1
    if what in ("pause", "continue"):
        job.paused, job.owed = what == "pause", 0
    return job


def listen(orders: queue.Queue) -> None:
    """Lines from whoever started this process; the end of them means that it is gone."""
    for line in sys.stdin:
        orders.put(json.loads(line))
    orders.put({"do": "leave"})


if __name__ == "__main__":
    main()
