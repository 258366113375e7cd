"""Zips from strangers: entries are checked before anything is read, and bytes are counted as they come.

An archive is refused as a whole where it holds an absolute path or `..`, a link, an encrypted entry, another archive,
two files of one name, too many entries, or an entry that unpacks to over a hundred times its size. Nothing is ever
written to disk.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath

MAX_ENTRIES = 5_000
MAX_TOTAL, MAX_PICTURE = 2 * 2**30, 64 * 2**20  # bytes
MAX_RATIO, RATIO_FROM = 100, 2**20  # an entry may not unpack to over 100 times its size, once past 1 MiB
NESTED = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")
BROKEN = (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, OSError)  # what reading a bad zip raises


def safe_entries(archive: zipfile.ZipFile, source: str) -> list[zipfile.ZipInfo]:
    """The entries of an archive; ValueError on a hostile one."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"{source} has {len(entries):,} entries; at most {MAX_ENTRIES:,} are read.")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ValueError(f"{source} holds two files of one name.")
    for entry, name in zip(entries, names, strict=True):
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if not parts or name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name:
            raise ValueError(f"{source} holds a file with an unsafe path: {name!r}.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ValueError(f"{source} holds a link: {name!r}.")
        if entry.flag_bits & 1:
            raise ValueError(f"{source} is encrypted.")
        if name.lower().endswith(NESTED):
            raise ValueError(f"{source} holds another archive: {name!r}.")
    return entries


def outer_folder(files: Sequence[str]) -> str:
    """The folder, with its slash, that holds every file and has subfolders with files; else nothing."""
    first = files[0].split("/", 1)[0] + "/" if files else ""
    whole = first and all(name.startswith(first) for name in files) and any(name.count("/") > 1 for name in files)
    return first if whole else ""


def unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, source: str) -> bytes:
    """The bytes of an entry, counted as they come: what a header promises is not believed.

    Nothing (b"") where the entry is damaged, more than MAX_PICTURE bytes where it is too large; ValueError on a bomb.
    """
    limit = max(RATIO_FROM, MAX_RATIO * entry.compress_size)
    try:
        with archive.open(entry) as file:
            content = file.read(min(limit, MAX_PICTURE) + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return b""
    if len(content) > limit:
        raise ValueError(f"{source} is a zip bomb: {entry.filename!r} unpacks to over {MAX_RATIO} times its size.")
    return content
