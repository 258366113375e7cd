"""`python -m genlab shorten`: numbers for a solver of few calls, fitted to one diffusion model."""

import argparse
import sys
import time

ENDS, MANY = 1024, 24  # draws that the fit is held against, and steps that they take
FIRST = 900_000  # their first seed
HIGHEST = 985.0  # noise level that the fit starts with


def declare(commands) -> None:
    """The command's arguments, among the others of `python -m genlab`."""
    shorten = commands.add_parser("shorten", help="fit a solver of few calls to a diffusion model")
    shorten.add_argument("name", metavar="NAME", help="a diffusion model on the shelf")
    shorten.add_argument("--calls", type=int, default=4, help="of the network a draw, 2 to 16 (default: 4)")
    shorten.add_argument("--steps", type=int, default=300, metavar="N", help="of the fit (default: 300)")
    shorten.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Fit the numbers and keep them in the model's `config.json`; two to four seconds of a core a step.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    import torch

    from genlab import checkpoint
    from genlab.models.diffusion import Diffusion, Knobs
    from genlab.models.diffusion_fitted import fit
    from genlab.seeds import Seeds

    calls, steps = arguments.calls, arguments.steps
    if not 2 <= calls <= 16:
        raise ValueError(f"A fitted solver calls the network 2 to 16 times; {calls} was given.")
    if steps < 1:
        raise ValueError(f"A fit takes a step or more; {steps} was given.")
    folder = checkpoint.folder_of(arguments.name)
    model = checkpoint.load(folder)
    if not isinstance(model, Diffusion):
        raise ValueError(f"Solvers are fitted to diffusion models; {arguments.name} is none.")
    model.unet.to(memory_format=torch.channels_last)
    labels = torch.arange(ENDS) % model.classes if model.classes else None
    seeds = Seeds.count_from(FIRST, ENDS)
    ends = model.folded(model.sample(seeds, labels, Knobs(steps=MANY, guidance=1.0)))
    z = Seeds.count_from(FIRST, ENDS).randn(*ends.shape[1:])
    levels, began = [HIGHEST * (1 - i / calls) for i in range(calls)], time.monotonic()
    for step, (fitted, loss) in enumerate(fit(model, z, labels, ends, levels=levels, steps=steps), 1):
        if step % 20 == 0 or step == steps:
            told = ", ".join(f"{level:.0f}" for level in fitted.levels().tolist())
            print(f"{step}/{steps}  loss {loss:.5f}  levels {told}  {time.monotonic() - began:.0f} s", file=sys.stderr)
    config = checkpoint.read(folder)
    about = {"command": f"python -m genlab shorten {arguments.name} --calls {calls} --steps {steps}"}
    checkpoint.write_config(folder, config | {"few_steps": fitted.table().plain() | about})
    print(f"{folder / 'config.json'} keeps {calls} fitted steps.")
    return 0
