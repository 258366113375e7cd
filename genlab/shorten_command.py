"""`python -m genlab shorten`: numbers for a solver of few calls, fitted to one diffusion model."""

import argparse
import sys
import time

ENDS, MANY = 1024, 24  # draws that the fit is held against, and steps that they take
FIRST = 900_000  # their first seed
HIGHEST = 985.0  # noise level that the fit starts with
LIFTS = (0.0, -0.01, -0.02, -0.03, -0.04)  # what may be added to every value, of -1 to 1
TRIED, SEED = 2560, 1_000_000  # draws that the choice between them is made with, and their first seed
HELD = 10_000  # of the last training items, with which they are compared


def declare(commands) -> None:
    """The command's arguments, among the others of `python -m genlab`."""
    shorten = commands.add_parser("shorten", help="fit a solver of few calls to a diffusion model")
    shorten.add_argument("name", metavar="NAME", help="a diffusion model on the shelf")
    shorten.add_argument("--calls", type=int, default=4, help="of the network a draw, 2 to 16 (default: 4)")
    shorten.add_argument("--steps", type=int, default=300, metavar="N", help="of the fit (default: 300)")
    shorten.add_argument("--lift", action="store_true", help="keep the fitted numbers, choose anew what is added last")
    shorten.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Fit the numbers and keep them in the model's `config.json`; two to four seconds of a core a step.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    import torch

    from genlab import checkpoint
    from genlab.models.diffusion import Diffusion

    calls, steps = arguments.calls, arguments.steps
    if not 2 <= calls <= 16:
        raise ValueError(f"A fitted solver calls the network 2 to 16 times; {calls} was given.")
    if steps < 1:
        raise ValueError(f"A fit takes a step or more; {steps} was given.")
    folder = checkpoint.folder_of(arguments.name)
    model = checkpoint.load(folder)
    if not isinstance(model, Diffusion):
        raise ValueError(f"Solvers are fitted to diffusion models; {arguments.name} is none.")
    config = checkpoint.read(folder)
    if arguments.lift and model.few_steps is None:
        raise ValueError(f"{arguments.name} has no fitted steps to choose a lift for: leave --lift out.")
    model.unet.to(memory_format=torch.channels_last)
    kept = config["few_steps"] if arguments.lift else fitted_steps(model, arguments.name, calls, steps)
    model.take_few_steps(kept)
    distances = lift_distances(model, config["recipe"]["data"])
    if distances:
        by_lift = {str(lift): distance for lift, distance in distances.items()}
        kept |= {"lift": min(distances, key=distances.get), "distance_by_lift": by_lift}
    checkpoint.write_config(folder, config | {"few_steps": kept})
    print(f"{folder / 'config.json'} keeps {len(model.few_steps)} fitted steps.")
    return 0


def fitted_steps(model, name: str, calls: int, steps: int) -> dict:
    """The table as `config.json` keeps it, fitted to draws of many steps."""
    import torch

    from genlab.models.diffusion import Knobs
    from genlab.models.diffusion_fitted import fit
    from genlab.seeds import Seeds

    labels = torch.arange(ENDS) % model.classes if model.classes else None
    seeds = Seeds.count_from(FIRST, ENDS)
    ends = model.folded(model.sample(seeds, labels, Knobs(steps=MANY, guidance=1.0)))
    z = Seeds.count_from(FIRST, ENDS).randn(*ends.shape[1:])
    levels, began = [HIGHEST * (1 - i / calls) for i in range(calls)], time.monotonic()
    for step, (fitted, loss) in enumerate(fit(model, z, labels, ends, levels=levels, steps=steps), 1):
        if step % 20 == 0 or step == steps:
            told = ", ".join(f"{level:.0f}" for level in fitted.levels().tolist())
            print(f"{step}/{steps}  loss {loss:.5f}  levels {told}  {time.monotonic() - began:.0f} s", file=sys.stderr)
    return fitted.table().plain() | {"command": f"python -m genlab shorten {name} --calls {calls} --steps {steps}"}


def lift_distances(model, data: str) -> dict[float, float]:
    """By lift, how far unguided draws are from held-out training items in the judge's features (Fréchet); nothing where
    the data has no judge. Items of the test split are not looked at."""
    import dataclasses

    from audits.quality.frechet import frechet_distance
    from genlab.data import load
    from genlab.models.diffusion import FITTED
    from genlab.studio.evaluate import draw, features, judge_of
    from genlab.studio.shelf import StudioError

    try:
        judge = judge_of(data)
    except StudioError:
        return {}
    held, table, found = features(judge, load(data).items[-HELD:]), model.few_steps, {}
    for lift in LIFTS:
        model.few_steps = dataclasses.replace(table, lift=lift)
        made = features(judge, draw(model, TRIED, seed=SEED, solver=FITTED, guidance=1.0)[0])
        found[lift] = round(frechet_distance(held, made), 4)
        print(f"lift {lift}: distance {found[lift]} from the last {HELD:,} training items", file=sys.stderr)
    return found
