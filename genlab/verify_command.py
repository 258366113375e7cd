"""`python -m genlab verify`: what the Verify tab says of a file, with every mark that only a model here can read."""

import argparse
import sys
from pathlib import Path


def declare(commands) -> None:
    """The command's arguments, among the others of `python -m genlab`."""
    told = "say whether a file was made here, from every layer of evidence"
    verify = commands.add_parser("verify", help=told, description=(
        "As `python -m audits verify`, and the marks that only a model here can read are looked for too: in the noise "
        "that a picture was drawn from, and in the words of a text. Exit status: 0 made here, 1 no evidence, 3 it "
        "cannot be read, 4 altered or contradictory evidence."
    ))  # fmt: skip
    verify.add_argument("file", type=Path, metavar="FILE", help="a picture, sound, video or text")
    verify.add_argument("--json", action="store_true", help="print the verdict as JSON")
    verify.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the verdict; the status is that of `python -m audits verify`."""
    from audits.provenance.command import EXIT, given, spoken
    from genlab.studio.verify import verify

    try:
        media, sidecar = given(arguments.file)
        if not media:
            raise ValueError("The file is empty.")
        found = verify(media, sidecar=sidecar)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        print(f"python -m genlab: {arguments.file}: {why}.", file=sys.stderr)
        return EXIT["unreadable"]
    shown = found.json if arguments.json else spoken(found.sentence, found.claim, found.layers) + "\n"
    print(shown, end="")
    return EXIT[found.verdict]
