"""`python -m genlab evaluate NAME`: measure a model again, and compare with what it states or write it down."""

import argparse
import json
import math
import sys
from typing import Any

from genlab.card_text import number
from genlab.terminal import Failed, console, new_table, progress_bar


def evaluate_model(arguments: argparse.Namespace) -> int:
    """Measure again, show, and compare with or write into config.json."""
    if arguments.quick and arguments.publish:
        raise ValueError("Published figures are full ones: leave --quick or --publish out.")
    from genlab import checkpoint
    from genlab.studio import shelf
    from genlab.studio.evaluate import evaluate

    folder = shelf.folder_of(arguments.name)
    with progress_bar() as bar:
        task = bar.add_task(arguments.name, total=None, note="")

        def begun(figure: str) -> None:
            bar.update(task, advance=1, note=figure)
            if bar.disable:
                print(f"{arguments.name}: {figure} ...", file=sys.stderr)

        metrics = evaluate(arguments.name, quick=arguments.quick, only=arguments.only, progress=begun)
    table = new_table("figure", "value", "95 % interval", "n", "floor", "unit")
    for name, m in metrics.items():
        interval = f"{number(m['low'])} to {number(m['high'])}"
        floor = "" if m.get("floor") is None else number(m["floor"])
        table.add_row(name, number(m["value"]), interval, f"{m['n']:,}", floor, m["unit"])
    console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps({"name": arguments.name, "metrics": metrics}, indent=1) + "\n")
    if arguments.check:
        stated = checkpoint.read(folder)["metrics"]
        if arguments.only and stated:
            stated = {name: figure for name, figure in stated.items() if name in metrics}
        faults = departures(stated, metrics, quick=arguments.quick)
        if faults:
            raise Failed(f"{arguments.name}: " + " ".join(faults))
        print("Every figure lies in its stated interval.")
    if arguments.publish:
        told, config = confusions_of(arguments.name), checkpoint.read(folder)
        kept = config["metrics"] if arguments.only else {}
        checkpoint.write_config(folder, {**config, "metrics": kept | metrics, **told})
        print(f"{folder / 'config.json'} holds these figures; card {arguments.name} --write brings the card in step.")
    return 0


def confusions_of(name: str) -> dict[str, Any]:
    """What a judge of several attributes publishes beside its figures: its confusion counts on held-out items."""
    from genlab.studio import shelf
    from genlab.studio.evaluate_attributes import confusions

    model = shelf.model(name)
    if not getattr(model, "attributes", None):
        return {}
    return {"attributes": confusions(model, shelf.config_of(name)["recipe"]["data"])}


def departures(stated: dict[str, dict], measured: dict[str, dict], *, quick: bool = False) -> list[str]:
    """A sentence for each figure outside its stated interval, or stated and not measured again.

    A quick measurement has an interval of its own: it departs where the two do not meet.
    """
    if not stated:
        return ["config.json states no figure yet."]
    faults = []
    for name, old in stated.items():
        new = measured.get(name)
        if new is None:
            if not quick:
                faults.append(f"{name} was not measured again.")
            continue
        low, high = (new["low"], new["high"]) if quick else (new["value"], new["value"])
        if not (math.isfinite(new["value"]) and low <= old["high"] and high >= old["low"]):
            faults.append(f"{name} is {number(new['value'])}, stated {number(old['low'])} to {number(old['high'])}.")
    return faults
