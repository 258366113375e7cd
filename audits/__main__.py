"""`python -m audits {bias, quality, text, seal, verify, ledger, certificate}` on anyone's files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from audits.provenance import command
from audits.provenance.database import LedgerProblem


class Refused(Exception):
    """The arguments cannot be worked with; the message is printed and the exit status is 2."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.command(arguments)
    except (Refused, ValueError, LedgerProblem) as error:
        print(f"python -m audits: {error}", file=sys.stderr)
    except OSError as error:
        print(f"python -m audits: {error.filename or 'a file'}: {error.strerror or error}.", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m audits", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="{bias,quality,text,seal,verify,ledger,certificate}")

    bias = commands.add_parser("bias", help="shares of groups, their intersections, and gaps between them")
    bias.add_argument("input", type=Path, metavar="INPUT", help="a folder or zip of pictures, a CSV or Parquet table")
    bias.add_argument("--groups", required=True, metavar="COLUMN[,COLUMN]|folder", help="columns, or subfolder names")
    bias.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the reports")
    several = {"action": "append", "default": []}
    bias.add_argument("--validation", **several, metavar="[COLUMN=]FILE", help="table with the columns true, predicted")
    bias.add_argument("--labels", **several, metavar="[COLUMN=]FILE", help="hand labels: columns item and label")
    bias.add_argument("--reference", **several, metavar="[COLUMN=]uniform|FILE", help="columns group and share")
    bias.add_argument("--expect", **several, metavar="[COLUMN=]G1,G2", help="groups that may be absent")
    bias.add_argument("--training", type=Path, metavar="FILE", help="training set, same columns: amplified ties")
    bias.add_argument("--outcome", metavar="COLUMN", help="a number an item: its gaps between groups")
    bias.add_argument("--question", choices=("model", "folder"), default="model", help="whom the intervals answer for")
    bias.add_argument("--level", type=float, default=0.95, help="of the intervals (default: %(default)s)")
    bias.add_argument("--seed", type=int, default=0, help="of the draws (default: %(default)s)")
    bias.set_defaults(command=_bias)

    quality = commands.add_parser("quality", help="distances, precision, recall, density, coverage, copies")
    real = "features of real items (.npy, .npz or .csv), or a folder or zip of pictures"
    quality.add_argument("real", type=Path, metavar="REAL", help=real)
    quality.add_argument("fake", type=Path, metavar="FAKE", help="the same of generated items")
    quality.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the reports")
    quality.add_argument("--json", type=Path, metavar="FILE", help="write the JSON report here as well")
    quality.add_argument("--floor", type=Path, metavar="FILE", help="the same of other real items: the floor")
    quality.add_argument("--train", type=Path, metavar="FILE", help="the same of training items: copies of them")
    chances = "class probabilities of the generated items, a row each: their class score"
    quality.add_argument("--probabilities", type=Path, metavar="FILE", help=chances)
    quality.add_argument("--real-probabilities", type=Path, metavar="FILE", help="of real items: its floor")
    quality.add_argument("--k", type=int, default=5, help="neighbours (default: %(default)s)")
    quality.add_argument("--seed", type=int, default=0, help="of the subsamples (default: %(default)s)")
    quality.set_defaults(command=_quality)

    _text_parsers(commands.add_parser("text", help="copies of training text, repetition, pairs of sentences"))
    command.add_parsers(commands)
    return parser


def _text_parsers(parser: argparse.ArgumentParser) -> None:
    audits = parser.add_subparsers(
        required=True, dest="audit", metavar="{memorisation,copies,distinctness,pairs,sentences}"
    )
    items = "a text file with an item a line, or a folder of .txt files"
    units = {"choices": ("words", "characters"), "help": "what a text is cut into (default: %(default)s)"}

    listed = audits.add_parser("memorisation", help="generated items that stand in the training list")
    listed.add_argument("generated", type=Path, metavar="GENERATED", help=items)
    listed.add_argument("--trained", type=Path, required=True, metavar="FILE", help="the training items")
    listed.add_argument("--held-out", type=Path, required=True, metavar="FILE", help="others of the same population")

    copies = audits.add_parser("copies", help="long runs that generated texts share with the training text")
    copies.add_argument("generated", type=Path, metavar="GENERATED", help=items)
    copies.add_argument("--training", type=Path, required=True, metavar="FILE", help="the training text, one file")
    copies.add_argument("--held-out", type=Path, metavar="FILE", help="text of the same kind, not trained on")
    copies.add_argument("--length", type=int, default=50, help="of a run that is a copy (default: %(default)s)")
    copies.add_argument("--unit", default="characters", **units)

    distinct = audits.add_parser("distinctness", help="distinct n-grams, and items that come more than once")
    distinct.add_argument("generated", type=Path, metavar="GENERATED", help=items)
    distinct.add_argument("--reference", type=Path, metavar="FILE", help="real items, compared at equal size")
    distinct.add_argument("--unit", default="words", **units)

    pairs = audits.add_parser("pairs", help="which of two sentences a model finds more probable, a set at a time")
    columns = "table with the columns set, pair, first, second, score_first, score_second"
    pairs.add_argument("pairs", type=Path, metavar="TABLE", help=columns)

    for each in (listed, copies, distinct, pairs):
        each.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the reports")
        each.add_argument("--level", type=float, default=0.95, help="of the intervals (default: %(default)s)")
        each.set_defaults(command=_text)

    sentences = audits.add_parser("sentences", help="our own pairs of sentences as a table, to be scored")
    sentences.add_argument("--out", type=Path, required=True, metavar="FILE", help="the CSV file")
    sentences.set_defaults(command=_sentences)


def _bias(arguments) -> int:
    from audits.bias.command import bias_report

    if arguments.seed < 0:
        raise Refused("The seed must be 0 or more.")
    report = bias_report(
        arguments.input, arguments.groups.split(","), validation=arguments.validation, labels=arguments.labels,
        reference=arguments.reference, expect=arguments.expect, training=arguments.training, outcome=arguments.outcome,
        question=arguments.question, level=arguments.level, seed=arguments.seed,
    )  # fmt: skip
    report.write(arguments.out)
    _print(report)
    return 0


def _text(arguments) -> int:
    from audits.text.distinctness import distinctness
    from audits.text.memorisation import longest_copies, memorisation
    from audits.text.pairs import pair_preferences, read_pairs
    from audits.text.templates import MEANINGS
    from audits.text.tokens import read_text, read_texts

    def others(path: Path | None, read):
        return None if path is None else read(path)

    level = arguments.level
    if arguments.audit == "pairs":
        report = pair_preferences(read_pairs(arguments.pairs), meanings=MEANINGS, level=level)
    elif arguments.audit == "memorisation":
        lists = [read_texts(path) for path in (arguments.generated, arguments.trained, arguments.held_out)]
        report = memorisation(*lists, level=level)
    elif arguments.audit == "copies":
        report = longest_copies(
            read_texts(arguments.generated), read_text(arguments.training), unit=arguments.unit, level=level,
            held_out=others(arguments.held_out, read_text), length=arguments.length,
        )  # fmt: skip
    else:
        reference = others(arguments.reference, read_texts)
        report = distinctness(read_texts(arguments.generated), reference, unit=arguments.unit, level=level)
    report.write(arguments.out)
    _print(report)
    return 0


def _sentences(arguments) -> int:
    import pandas as pd

    from audits.bias.cells import table_csv
    from audits.text.templates import sets

    table = pd.DataFrame(sets())
    table.insert(1, "pair", range(1, len(table) + 1))
    arguments.out.write_text(table_csv(table), encoding="utf-8")
    return 0


def _print(report) -> None:
    from audits.report import figure, printable

    for f in report.findings:
        floor = "" if f.floor is None else f"  floor {figure(f.floor)}"
        verdict = f": {f.verdict}" if f.verdict else ""
        name = " ".join(printable(f.name).split())
        print(f"{name:24} {figure(f.value):>9}  [{figure(f.low)}, {figure(f.high)}]{floor}{verdict}")
    for caveat in report.caveats:
        print(f"  {' '.join(printable(caveat).split())}")


def _quality(arguments) -> int:
    from audits.quality import quality_report, read_features
    from audits.quality.thumbnails import CAVEAT, thumbnails
    from audits.report import figure

    def read(path: Path | None):
        pictures = path is not None and (path.is_dir() or path.suffix.lower() == ".zip")
        return None if path is None else thumbnails(path) if pictures else read_features(path)

    def rows(path: Path | None):
        return None if path is None else read_features(path)

    if arguments.seed < 0:
        raise Refused("The seed must be 0 or more.")
    if arguments.real_probabilities and not arguments.probabilities:
        raise Refused("--real-probabilities is the floor of a score: give --probabilities too.")
    real, fake, other = read(arguments.real), read(arguments.fake), read(arguments.floor)
    floor_pair = None if other is None else (real, other)
    pictures = arguments.real.is_dir() or arguments.real.suffix.lower() == ".zip"
    report = quality_report(
        real, fake, floor_pair=floor_pair, k=arguments.k, seed=arguments.seed, train=read(arguments.train),
        probabilities=rows(arguments.probabilities), real_probabilities=rows(arguments.real_probabilities),
        caveats=(CAVEAT,) if pictures else (),
    )  # fmt: skip
    report.write(arguments.out)
    if arguments.json:
        arguments.json.write_text(report.to_json())
    for f in report.findings:
        floor = "" if f.floor is None else f"  floor {figure(f.floor)}: {f.verdict}"
        print(f"{f.name:18} {figure(f.value):>9}  [{figure(f.low)}, {figure(f.high)}]{floor}")
    for caveat in report.caveats:
        print(f"  {caveat}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
