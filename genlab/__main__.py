"""`python -m genlab`, the house from a terminal: list, train, shorten, sample, encode, evaluate, audit, detect,
compress, decompress, verify and card.

Exit status: 0 done, 1 it could not be done here (or a check failed), 2 the arguments are wrong, 130 interrupted; that
of `verify` is its verdict.
PyTorch is imported by the commands that need it, so that help and complaints come at once.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from genlab import (
    compress_command,
    detect_command,
    encode_command,
    evaluate_command,
    sample_command,
    shorten_command,
    verify_command,
)
from genlab.card_text import number
from genlab.terminal import Failed, console, new_table, progress_bar, watch

LARGEST_COUNT = 100_000
LARGEST_SEED = 2**63 - 1


class Parser(argparse.ArgumentParser):
    """argparse with complaints of one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message.rstrip('.')}. See {self.prog} --help.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; whatever goes wrong is one sentence on the error stream."""
    arguments = parser().parse_args(argv)
    try:
        return arguments.command(arguments) or 0
    except ValueError as error:
        return complain(error, 2)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return complain(f"{where}{error.strerror or error}.", 1)
    except (Failed, RuntimeError) as error:
        known = isinstance(error, Failed) or type(error).__name__ in ("CheckpointError", "DataError", "Diverged")
        if not known:
            raise
        return complain(error, 1)
    except KeyboardInterrupt:
        return complain("stopped; `train` goes on from its last save when it is called again.", 130)


def complain(message: object, status: int) -> int:
    """Print one line on the error stream and return the status."""
    print(f"python -m genlab: {' '.join(str(message).split())}", file=sys.stderr)
    return status


def parser() -> Parser:
    """The command line, without its meaning."""
    top = Parser(prog="python -m genlab", description="Train, sample, measure and describe the models of this house.")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    listing = commands.add_parser("list", help="the models and what they can do")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.set_defaults(command=list_models)

    train = commands.add_parser("train", help="run a recipe; a run that was stopped goes on")
    train.add_argument("name", metavar="NAME", help="a recipe's name, as `list` shows it")
    train.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: %(default)s)")
    train.add_argument("--steps", type=whole(1, 10**9), metavar="N", help="fewer steps than the recipe's: a trial")
    train.add_argument("--work", type=Path, default=Path("work"), metavar="DIR", help="work folder (default: ./work)")
    train.add_argument("--publish", action="store_true", help="then move the model into model_cards/NAME")
    train.set_defaults(command=train_model)

    sample = commands.add_parser("sample", help="draw items into PNG or text files and a manifest.json")
    sample.add_argument(
        "name", metavar="NAME", help="a model here, or hub:owner/model: a diffusers pipeline of the Hub"
    )
    sample.add_argument("--count", type=whole(1, LARGEST_COUNT), default=16, metavar="N", help="default: %(default)s")
    sample.add_argument("--seed", type=whole(0, LARGEST_SEED), default=0, metavar="S", help="item i gets S + i")
    sample.add_argument(
        "--label", metavar="L", help="class by name or number (default: item i gets i mod classes); of names COUNTRY, "
        "GENDER or COUNTRY/GENDER",
    )  # fmt: skip
    sample.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE", help="as in the app; repeatable")
    sample.add_argument(
        "--prompt", action="append", default=[], help="for pipelines of the Hub (repeatable, in turn) and texts"
    )
    sample.add_argument(
        "--length",
        type=whole(1, 600),
        metavar="N",
        help="tokens of a text at most (default: 200); a model of the Hub with a length is one of language",
    )
    sample.add_argument("--out", type=Path, required=True, metavar="DIR", help="an empty or new folder")
    sample.set_defaults(command=sample_model)

    encode_command.declare(commands)
    shorten_command.declare(commands)
    evaluate = commands.add_parser("evaluate", help="measure a model's figures again")
    evaluate.add_argument("name", metavar="NAME")
    evaluate.add_argument(
        "--only", metavar="PART", help="naming, likelihood, codes, samples, teaching, files or filling"
    )
    evaluate.add_argument("--quick", action="store_true", help="fewer items: wider intervals, minutes instead of more")
    evaluate.add_argument("--check", action="store_true", help="exit 1 where a figure leaves its stated interval")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    evaluate.add_argument("--publish", action="store_true", help="write the figures into config.json")
    evaluate.set_defaults(command=evaluate_command.evaluate_model)

    told = "measure whom a model draws or names, how often, and how its groups are tied; what a model of texts prefers"
    audit = commands.add_parser("audit", help=told, description=(
        "A model of pictures or names is drawn from and its items are named by a judge. A model of texts (one that "
        "writes them or fills words in) is asked, without any option, which sentence of a pair it finds more probable."
    ))  # fmt: skip
    audit.add_argument("name", metavar="NAME")
    named = "that its judge names (default: tone; of names all)"
    audit.add_argument("--groups", metavar="ATTRIBUTE[,ATTRIBUTE]", help=named)
    audit.add_argument("--count", type=whole(20, 2000), help="items (default: 400; of names 2,000)")
    audit.add_argument("--seed", type=whole(0, LARGEST_SEED), default=0, help="of the first item")
    audit.add_argument(
        "--reference", metavar="uniform|training|none|FILE",
        help="what to compare with (default: uniform; of names training, with distances to both)",
    )  # fmt: skip
    audit.add_argument("--question", choices=("model", "folder"), default="model", help="whom the intervals answer for")
    audit.add_argument("--out", type=Path, required=True, metavar="DIR", help="an empty or new folder")
    audit.set_defaults(command=audit_of)

    detect_command.add(commands, progress_bar)
    compress_command.declare(commands, progress_bar)
    verify_command.declare(commands)

    card = commands.add_parser("card", help="print, write or check a model's card")
    card.add_argument("name", metavar="NAME")
    card.add_argument("--write", action="store_true", help="write model_cards/NAME/README.md")
    card.add_argument("--pictures", action="store_true", help="draw samples.png and failures.png")
    card.add_argument("--check", action="store_true", help="exit 1 where the card and the model disagree")
    card.set_defaults(command=card_of)
    return top


def whole(low: int, high: int):
    """A parser of whole numbers in [low, high], for argparse."""

    def read(text: str) -> int:
        number = int(text) if text.strip().lstrip("-").isdecimal() and len(text) < 40 else None
        if number is None or not low <= number <= high:
            raise argparse.ArgumentTypeError(f"a whole number from {low:,} to {high:,} is needed, not {text[:40]!r}")
        return number

    return read


# ---- list


def list_models(arguments: argparse.Namespace) -> int:
    """One row a recipe or shipped model."""
    rows = [describe(name) for name in known_names()]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return 0
    table = new_table("name", "family", "data", "can", "parameters", "figures")
    for row in rows:
        figures = [f"{key} {value}" for key, value in row["figures"].items()]
        state = "\n".join(figures) or ("not measured yet" if row["shipped"] else "not trained yet: run train")
        table.add_row(row["name"], row["family"], row["data"], ", ".join(row["can"]), f"{row['parameters']:,}", state)
    console().print(table)
    return 0


def known_names() -> list[str]:
    """Names on the shelf and in the table of recipes."""
    from genlab.recipes import RECIPES
    from genlab.studio import shelf

    return sorted({*shelf.names(), *RECIPES})


def describe(name: str) -> dict[str, Any]:
    """What `list` says of a model, shipped or not."""
    from genlab import checkpoint
    from genlab.cards import headlines
    from genlab.models import build
    from genlab.models.contract import capabilities
    from genlab.recipes import RECIPES
    from genlab.studio import shelf

    shipped = name in shelf.names()
    config = checkpoint.read(shelf.folder_of(name)) if shipped else {}
    recipe = config.get("recipe") or checkpoint.plain(RECIPES[name])
    model = build(recipe["family"], recipe["model"])
    shown = headlines(config) if shipped else {}
    return {
        "name": name,
        "family": recipe["family"],
        "data": recipe["data"],
        "can": list(capabilities(model)),
        "parameters": sum(p.numel() for p in model.parameters()),
        "shipped": shipped,
        "figures": {key: number(metric["value"]) for key, metric in shown.items()},
    }


# ---- train


def train_model(arguments: argparse.Namespace) -> int:
    """Run the recipe into the work folder and, if asked, move the result onto the shelf."""
    from genlab import checkpoint, recipes
    from genlab.device import check_device
    from genlab.studio import shelf

    name, folder, device = arguments.name, arguments.work / arguments.name, check_device(arguments.device)
    recipe = recipes.recipe_of(name)
    if arguments.steps:
        recipe = replace(
            recipe, steps=arguments.steps, prior=recipe.prior and replace(recipe.prior, steps=arguments.steps)
        )
    wanted = checkpoint.plain(recipe)
    if (folder / "config.json").exists() and checkpoint.read(folder)["recipe"] == wanted:
        print(f"{folder} holds this model already: remove the folder to train it again.")
    else:
        claim_folder(folder, wanted)
        with progress_bar() as bar:
            watch(recipes.train(name, arguments.work, device=str(device), steps=arguments.steps), bar)
        print(f"{folder} holds the trained model.")
    if arguments.publish:
        target = recipes.home_of(name) or shelf.folder() / name
        target.mkdir(parents=True, exist_ok=True)
        checkpoint.drop_weights(target)
        for file in checkpoint.files_of(folder):
            (target / file).parent.mkdir(exist_ok=True)
            shutil.move(folder / file, target / file)
        measured = "evaluate --publish measures it, card --write describes it"
        if name in recipes.MARKS:
            measured = "python benchmarks/watermark.py measures it"
        print(f"{target} holds it now; {measured}.")
    return 0


def claim_folder(folder: Path, recipe: dict[str, Any]) -> None:
    """Note in the work folder whose run it holds.

    Raises:
        ValueError: a run of another recipe stopped there, which this one must not go on from.
    """
    note = folder / "recipe.json"
    if any(folder.glob("*.pt")) and (not note.exists() or json.loads(note.read_text()) != recipe):
        raise ValueError(
            f"{folder} holds a stopped run of other settings: finish it, remove it or name another --work."
        )
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(recipe, indent=1) + "\n")


# ---- sample


def sample_model(arguments: argparse.Namespace) -> int:
    """Sealed files and a manifest that names each one's claim: PNGs, or texts."""
    from genlab.studio import generate, generate_hub, hub, shelf

    writes = arguments.name in shelf.names() and "write" in shelf.entry(arguments.name).capabilities
    if writes or (generate_hub.is_hub(arguments.name) and arguments.length is not None):
        return sample_command.write_texts(arguments, knobs_from(arguments.knob))
    if arguments.length is not None:
        raise ValueError(f"{arguments.name} draws pictures, which have no length: leave --length out.")
    knobs, out, piped = knobs_from(arguments.knob), arguments.out, generate_hub.is_hub(arguments.name)
    if arguments.prompt:
        knobs["prompt"] = "\n".join(arguments.prompt)
    if piped:
        hub.named(arguments.name.removeprefix(generate_hub.PREFIX))
        chunk = generate_hub.MOST
    else:
        classes = max(len(shelf.require(arguments.name, "generate").classes), 1)
        chunk = max(generate.MOST // classes * classes, 1)  # whole rounds: item i has class i mod classes across chunks
    if arguments.seed + arguments.count - 1 > LARGEST_SEED:
        raise ValueError("The seed is too large for that many items: the last one's must stay below 2^63.")
    sample_command.check_folder(out)
    manifest = []
    with progress_bar() as bar:
        task = bar.add_task(arguments.name, total=arguments.count, note="")
        for first in range(0, arguments.count, chunk):
            count = min(chunk, arguments.count - first)
            seed, offset = (arguments.seed, first) if piped else (arguments.seed + first, 0)
            made = generate.generate(
                arguments.name, label=arguments.label, seed=seed, count=count, knobs=knobs, offset=offset
            )
            out.mkdir(parents=True, exist_ok=True)
            for name, sealed in zip(made.names, made.pictures, strict=True):
                (out / name).write_bytes(sealed.media)
                digest = hashlib.sha256(sealed.media).hexdigest()
                manifest.append({"file": name, "sha256": digest, "claim": sealed.claim.as_dict()})
            bar.update(task, advance=count)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    print(f"{out}: {len(manifest):,} PNG files and manifest.json.")
    return 0


def knobs_from(pairs: Sequence[str]) -> dict[str, float | str]:
    """`name=value` arguments as a dictionary, numbers where they are numbers.

    Raises:
        ValueError: a pair has no equals sign or a name comes twice.
    """
    knobs: dict[str, float | str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name or name in knobs:
            raise ValueError(f"Give each knob once, as --knob name=value; {pair[:40]!r} was given.")
        try:
            knobs[name] = float(text)
        except ValueError:
            knobs[name] = text
    return knobs


# ---- audit


def audit_of(arguments: argparse.Namespace) -> int:
    """The bias audit of one model."""
    from genlab.audit_command import run

    return run(arguments, progress_bar)


# ---- card


def card_of(arguments: argparse.Namespace) -> int:
    """Print the card, write it, or say what is wrong with it."""
    from genlab import cards
    from genlab.studio import shelf

    name, folder = arguments.name, shelf.folder()
    if arguments.pictures:
        from genlab.card_pictures import write_pictures

        print(f"{' and '.join(map(str, write_pictures(name)))} are written.")
        if not (arguments.write or arguments.check):
            return 0
    if arguments.check:
        faults = cards.check(name, folder)
        if faults:
            raise Failed(" ".join(faults))
        print(f"{name}: the card and the model agree.")
    elif arguments.write:
        print(f"{cards.write(name, folder)} is written.")
        readme = folder.parent / "README.md"
        if readme.is_file():  # of the repository: its table of figures stands in step with the shelf
            cards.write_figures(readme, folder)
    else:
        print(cards.render(name, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
