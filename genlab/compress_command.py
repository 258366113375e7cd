"""The commands `python -m genlab compress` and `decompress`: picture files to one `.glz` file, and back to PNGs."""

import argparse
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def declare(commands: Any, bar: Callable) -> None:
    """Add both commands to the command line; `bar` makes a bar of progress."""
    compressing = commands.add_parser("compress", help="make one .glz file of pictures; every pixel comes back")
    compressing.add_argument("files", nargs="+", type=Path, metavar="IN", help="picture files, or folders of them")
    compressing.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new .glz file")
    compressing.add_argument("--model", metavar="NAME", help="the model that shall code (default: the best one)")
    compressing.add_argument("--quality", type=quality, metavar="Q", help="1 to 100: smaller, with a loss")
    compressing.set_defaults(command=functools.partial(compress, bar=bar))

    decompressing = commands.add_parser("decompress", help="make PNG files of a .glz file")
    decompressing.add_argument("file", type=Path, metavar="FILE")
    decompressing.add_argument("--out", type=Path, required=True, metavar="DIR", help="an empty or new folder")
    decompressing.set_defaults(command=functools.partial(decompress, bar=bar))


def quality(text: str) -> float:
    """A number from 1 to 100, for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 1 <= number <= 100:
        raise argparse.ArgumentTypeError(f"a number from 1 to 100 is needed, not {text[:40]!r}")
    return number


def files_of(given: Sequence[Path]) -> list[Path]:
    """The files named, and of each folder named the pictures in it by name.

    Raises:
        ValueError: a folder holds no picture.
    """
    from genlab.codec.pixels import SUFFIXES

    found = []
    for path in given:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
        if not inside:
            raise ValueError(f"{path} holds no picture ({', '.join(SUFFIXES)}).")
        found += inside
    return found


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet.

    Raises:
        ValueError: it is.
    """
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise ValueError(f"{path} is there already: name another one.") from None


def compress(arguments: argparse.Namespace, bar: Callable) -> int:
    """Run `compress`: one file of all pictures, and a line about it."""
    from genlab.codec.archive import Limits
    from genlab.studio import compress as studio

    out: Path = arguments.out
    if out.exists():
        raise ValueError(f"{out} is there already: name another one.")
    if not out.parent.is_dir():
        raise ValueError(f"{out.parent} is no folder: make it first.")
    paths = files_of(arguments.files)
    with bar() as shown:
        task = shown.add_task("compress", total=None, note="")
        made = studio.compress(
            [path.name for path in paths], [path.read_bytes() for path in paths], model=arguments.model,
            quality=arguments.quality, limits=Limits(), progress=lambda: shown.update(task, advance=1),
        )  # fmt: skip
    write_new(out, made.file)
    before = sum(path.stat().st_size for path in paths)
    coders = sorted(set(made.coders))
    print(
        f"{out}: {len(made.names):,} picture(s), {len(made.file):,} bytes ({len(made.file) / before:.0%} of the files "
        f"given), {made.bits_per_pixel:.3f} bits per pixel, coded by {'; '.join(coders)}."
    )
    return 0


def decompress(arguments: argparse.Namespace, bar: Callable) -> int:
    """Run `decompress`: PNG files in a new or empty folder."""
    from genlab.codec.archive import Limits
    from genlab.studio import compress as studio

    file, out = arguments.file, arguments.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty: name a new folder.")
    with bar() as shown:
        task = shown.add_task("decompress", total=None, note="")
        found = studio.decompress(file.read_bytes(), limits=Limits(), progress=lambda: shown.update(task, advance=1))
    out.mkdir(parents=True, exist_ok=True)
    for picture in found:
        write_new(out / f"{picture.name}.png", picture.media)
    sealed = sum(picture.sealed is not None for picture in found)
    print(f"{out}: {len(found):,} PNG file(s)" + (f", {sealed:,} of them sealed again." if sealed else "."))
    for note in sorted({picture.note for picture in found} - {""}):
        print(note)
    return 0
