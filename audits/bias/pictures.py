"""Pictures that people bring to an audit: a folder or a zip, with a subfolder a group."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from audits.bias.archives import BROKEN, MAX_PICTURE, MAX_TOTAL, outer_folder, safe_entries, unpacked
from audits.bias.tables import listed

FOLDER = "folder"  # the column that `--groups folder` makes
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_FILES = 200_000  # of a folder
MAX_PIXELS = 50_000_000
SYSTEM = (".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Items:
    """`table`: one row an item, by name. `empty`: subfolders without a picture. `notes`: what was skipped."""

    table: pd.DataFrame
    empty: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def contents(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """Every file of a folder or zip as (relative name, bytes), None where it may not be read; folders as ("a/", None).

    ValueError where the zip is hostile or broken, or there is too much of it.
    """
    return _walked(path) if path.is_dir() else _zipped(path)


def _walked(root: Path) -> Iterator[tuple[str, bytes | None]]:
    """Links are never followed, and pipes and devices never opened."""
    closed: list[OSError] = []
    count = 0
    for folder, below, files in os.walk(root, onerror=closed.append):
        here, links = Path(folder), [name for name in below if (Path(folder) / name).is_symlink()]
        below[:] = sorted(name for name in below if not _system(f"{name}/") and name not in links)
        if here.parent == root:
            yield f"{here.name}/", None
        for name in sorted([*files, *links]):
            count += 1
            if count > MAX_FILES:
                raise ValueError(f"{root} holds more than {MAX_FILES:,} files.")
            file = here / name
            shown = str(PurePosixPath(*file.relative_to(root).parts))
            if not _system(shown):
                state = file.lstat()
                plain = stat.S_ISREG(state.st_mode) and state.st_size <= MAX_PICTURE
                yield shown, _bytes(file) if plain else None
    for error in closed:
        yield str(PurePosixPath(*Path(error.filename).relative_to(root).parts)), None


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _zipped(path: Path) -> Iterator[tuple[str, bytes | None]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in safe_entries(archive, path.name) if not _system(entry.filename)]
            outer = outer_folder([entry.filename for entry in entries if not entry.is_dir()])
            folders, total = set(), 0
            for entry in entries:
                name = entry.filename.removeprefix(outer)
                top = name.partition("/")[0] + "/"
                if "/" in name and top not in folders:
                    folders.add(top)
                    yield top, None
                if entry.is_dir():
                    continue
                content = unpacked(archive, entry, path.name)
                total += len(content)
                if total > MAX_TOTAL:
                    raise ValueError(f"{path.name} unpacks to more than {MAX_TOTAL:,} bytes.")
                yield name, content if len(content) <= MAX_PICTURE else None
    except BROKEN as error:
        raise ValueError(f"{path.name} is not a zip that can be read.") from error


def _system(name: str) -> bool:
    """Whether a file or folder is one that systems leave behind, which nobody means to have audited."""
    parts = PurePosixPath(name).parts
    return bool(parts) and (parts[0] == "__MACOSX" or parts[-1].startswith("._") or parts[-1] in SYSTEM)


def by_folder(found: Iterator[tuple[str, bytes | None]], source: str) -> Items:
    """The subfolder of every readable picture among what `contents` yields; ValueError where there is none."""
    groups, folders, skipped = {}, [], []
    for name, content in found:
        if name.endswith("/"):
            folders.append(name[:-1])
        elif "/" in name and content is not None and readable(io.BytesIO(content)):
            groups[name] = name.split("/", 1)[0]
        else:
            skipped.append(name)
    return grouped(groups, folders, skipped, source)


def readable(file) -> bool:
    """Whether `file` (a path or a stream) is a whole picture of at most 50 megapixels; its size is checked first."""
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS or not image.width * image.height:
                    return False
                image.draft("RGB", (64, 64))
                image.load()
    except Exception:  # decoders raise many kinds, and a picture that breaks one is skipped and named
        return False
    return True


def grouped(groups: dict[str, str], folders: Sequence[str], skipped: Sequence[str], source: str) -> Items:
    """Items from the folder of each picture; `folders` may be empty of them, `skipped` files are named and counted."""
    if not groups:
        raise ValueError(
            f"{source} holds no readable picture inside a subfolder ({len(skipped):,} files were skipped)."
        )
    table = pd.DataFrame({FOLDER: pd.Series(groups, dtype=object)})
    table.index.name = "item"
    empty = sorted(set(folders) - set(table[FOLDER]))
    notes = []
    if skipped:
        notes.append(
            f"{len(skipped):,} files were skipped (unreadable, too large, links, in no subfolder): "
            f"{listed(skipped, 20)}."
        )
    return Items(table.sort_index(), tuple(empty), tuple(notes))
