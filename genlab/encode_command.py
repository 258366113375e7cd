"""`python -m genlab encode`: pictures or arrays to a file of codes."""

import argparse
from pathlib import Path


def declare(commands) -> None:
    """The command's arguments, among the others of `python -m genlab`."""
    encode = commands.add_parser("encode", help="write the codes of pictures into a CSV or NPZ file")
    encode.add_argument("name", metavar="NAME", help="a model that can autoencode")
    encode.add_argument(
        "input", metavar="INPUT", help="a picture, a folder of pictures, an array (NPY, NPZ), or the word examples"
    )
    encode.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends in .csv or .npz")
    encode.add_argument("--invert", choices=("auto", "yes", "no"), default="auto", help="make light backgrounds dark")
    encode.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Codes of a picture, a folder or an array, a row an item.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    from genlab.studio import features

    form = arguments.out.suffix.lower().removeprefix(".")
    if form not in features.FORMS:
        raise ValueError(f"--out names a file that ends in .csv or .npz; {str(arguments.out)[-60:]!r} was given.")
    given = Path(arguments.input)
    if arguments.input == "examples" and not given.exists():
        made = features.of_pictures(arguments.name, [])
    else:
        made = features.of_path(arguments.name, given, arguments.invert)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_bytes(made.file(form))
    print(f"{arguments.out}: {len(made.codes):,} codes of {made.codes.shape[1]:,} numbers by {made.model}.")
    return 0
