"""The door to the Hub: what may be loaded from there, how large it may be, and which weights it then is.

Names are `owner/model` or `owner/model@revision`. A folder named in `GENLAB_HUB` that holds `owner/model` is asked
first, so that a machine without the Hub can keep copies. `GENLAB_HUB_ALLOWED` says which names may be loaded and
`GENLAB_HUB_LARGEST` how many bytes they may have; both are looked at before anything is downloaded. Only safetensors
weights are loaded and no code of a repository is ever run.
"""

import contextlib
import fnmatch
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from genlab.studio.shelf import StudioError

NAME = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@([A-Za-z0-9][\w./-]{0,95}))?", re.ASCII)
LARGEST = 2 * 2**30  # bytes of a model, where GENLAB_HUB_LARGEST says nothing else
PIPELINE = "a diffusers pipeline"
READ = (".json", ".txt", ".model", ".safetensors")  # what is downloaded of a pipeline
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


class Named(NamedTuple):
    """A name as it was asked for; an empty revision is the newest."""

    name: str
    revision: str


@dataclass(frozen=True)
class Found:
    """A pipeline on this machine.

    Attributes:
        name: owner/model.
        revision: the commit of the Hub; of a folder's copy the sha256 over its weight files.
        folder: where its files lie.
    """

    name: str
    revision: str
    folder: str


def named(text: object) -> Named:
    """The parts of `owner/model@revision`, where this installation may load it.

    Raises:
        StudioError: the name is none that the Hub could have, or is not on the list of those allowed.
    """
    match = NAME.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or ".." in match[0]:
        raise StudioError(
            f"Models of the Hub are named owner/model or owner/model@revision; {str(text)[:60]!r} was given."
        )
    listed = os.environ.get("GENLAB_HUB_ALLOWED", "").strip()
    patterns = [part.strip() for part in listed.split(",") if part.strip()]
    if not patterns and not os.environ.get("SPACE_ID"):
        patterns = ["*"]
    if not any(fnmatch.fnmatchcase(match[1], pattern) for pattern in patterns):
        shown = ", ".join(patterns)[:160] or "none"
        raise StudioError(
            f"{match[1]} may not be loaded here; models of the Hub that may are {shown} (setting GENLAB_HUB_ALLOWED)."
        )
    return Named(match[1], match[2] or "")


def copy_of(name: str) -> Path | None:
    """The folder below `GENLAB_HUB` that holds a model, None where there is none."""
    kept = os.environ.get("GENLAB_HUB")
    return Path(kept) / name if kept and (Path(kept) / name).is_dir() else None


def find(text: str) -> Found:
    """A pipeline by `owner/model` or `owner/model@revision`: checked, and downloaded where it is not here yet.

    Raises:
        StudioError: one sentence: malformed, not allowed, too large, not a pipeline, without safetensors weights,
            behind a licence, or out of reach.
    """
    name, asked = named(text)
    folder = copy_of(name)
    if folder is not None:
        return copied(
            name, asked, folder, lambda files: _wanted(name, files, lambda: (folder / "model_index.json").read_bytes())
        )

    from huggingface_hub import hf_hub_download, snapshot_download

    commit, files = listed(name, asked, PIPELINE)
    with _sentences(name, PIPELINE):
        wanted = _wanted(
            name, files, lambda: Path(hf_hub_download(name, "model_index.json", revision=commit)).read_bytes()
        )
        check_size(name, (files[file] for file in wanted))
        return Found(name, commit, snapshot_download(name, revision=commit, allow_patterns=wanted))


def copied(name: str, asked: str, folder: Path, wanted: Callable[[Mapping[str, int]], list[str]]) -> Found:
    """A model out of a copy below `GENLAB_HUB`.

    Args:
        asked: the revision that was asked for, empty for whichever the copy has.
        wanted: path -> bytes of all files, to those that are read.

    Raises:
        StudioError: it is too large, or of another revision.
    """
    files = sizes_of(folder)
    read = wanted(files)
    check_size(name, (files[file] for file in read))
    found = digest_of(folder, read)
    if asked not in ("", found):
        raise StudioError(
            f"The copy of {name} in GENLAB_HUB has revision {found[:12]} and not {asked[:12]}: "
            "leave the revision out, or put the other one there."
        )
    return Found(name, found, str(folder))


def revision(name: str) -> str:
    """The commit of a pipeline of the Hub, or the sha256 over the weight files of a folder's copy."""
    return find(name).revision


@functools.lru_cache(maxsize=1)
def pipeline(found: Found):
    """A diffusers pipeline, ready to draw, the last one kept.

    Raises:
        StudioError: it cannot be loaded.
    """
    from diffusers import DiffusionPipeline

    from genlab.device import serving_device

    with loading(found.name, PIPELINE):
        loaded = DiffusionPipeline.from_pretrained(
            found.folder, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    loaded.set_progress_bar_config(disable=True)
    return loaded.to(serving_device())


# ---- files


def listed(name: str, asked: str, what: str) -> tuple[str, dict[str, int]]:
    """The commit that a name stands for on the Hub, and the size in bytes of every file."""
    from huggingface_hub import HfApi

    with _sentences(name, what):
        info = HfApi().model_info(name, revision=asked or None, files_metadata=True, timeout=15)
        return info.sha, {file.rfilename: file.size or 0 for file in info.siblings}


def sizes_of(folder: Path) -> dict[str, int]:
    """The size in bytes of every file of a folder, by its path in there."""
    return {f.relative_to(folder).as_posix(): f.stat().st_size for f in sorted(folder.rglob("*")) if f.is_file()}


def is_weights(file: str) -> bool:
    """Whether a file holds weights that are read: safetensors, and no variant such as model.fp16.safetensors."""
    path = PurePosixPath(file)
    return path.suffix == ".safetensors" and "." not in path.stem


def _wanted(name: str, files: Mapping[str, int], index: Callable[[], bytes]) -> list[str]:
    """The files of a pipeline that are read, its parts taken from model_index.json.

    Raises:
        StudioError: it is no pipeline, runs code of its own, or has pickled weights only.
    """
    from diffusers import pipelines

    no_pipeline = StudioError(
        f"{name} is not {PIPELINE}: it has no model_index.json that can be read; name one that has."
    )
    if not 0 < files.get("model_index.json", 0) <= 2**20:
        raise no_pipeline
    try:
        parts = json.loads(index())
    except ValueError:
        raise no_pipeline from None
    if not isinstance(parts, dict):
        raise no_pipeline
    known = {key: value for key, value in parts.items() if isinstance(value, list) and len(value) == 2 and value[0]}
    libraries = {str(library) for library, _ in known.values()}
    theirs = ("diffusers", "transformers")
    foreign = [x for x in libraries if x not in theirs and (x.startswith("_") or not hasattr(pipelines, x))]
    if not isinstance(parts.get("_class_name"), str) or foreign:
        raise StudioError(f"{name} needs code of its own, which is never run here: name another pipeline.")
    wanted = ["model_index.json"]
    for part in known:
        inside = [file for file in files if PurePosixPath(file).parts[:-1] == (part,)]
        inside = inside or [file for file in files if "/" not in file]  # as old repositories have it
        kept = [file for file in inside if file.endswith(READ) and (is_weights(file) or not file.endswith(READ[-1]))]
        if not any(map(is_weights, kept)) and any(file.endswith((*PICKLES, READ[-1])) for file in inside):
            raise StudioError(
                f"{name} has no safetensors weights for its {part}, and no others are read: name another."
            )
        wanted += [file for file in kept if file not in wanted]
    if not any(map(is_weights, wanted)):
        raise StudioError(f"{name} has no safetensors weights, and no others are read: name another.")
    return wanted


def check_size(name: str, sizes: Iterable[int]) -> None:
    """Raise StudioError where files are larger than `GENLAB_HUB_LARGEST` allows."""
    given = os.environ.get("GENLAB_HUB_LARGEST", "").strip()
    if given and not (given.isascii() and given.isdigit()):
        raise StudioError(f"GENLAB_HUB_LARGEST is a whole number of bytes, and {given[:40]!r} is none: correct it.")
    size, largest = sum(sizes), int(given) if given else LARGEST
    if size > largest:
        raise StudioError(
            f"{name} has {size / 2**20:,.1f} MiB and {largest / 2**20:,.1f} MiB are allowed: "
            "name a smaller one, or raise GENLAB_HUB_LARGEST."
        )


def digest_of(folder: Path, files: Iterable[str]) -> str:
    """The revision of a folder's copy: a sha256 over those of its files that hold weights."""
    return _digest(tuple((folder / f, f, (folder / f).stat().st_mtime_ns) for f in files if is_weights(f)))


@functools.lru_cache(maxsize=8)
def _digest(files: tuple[tuple[Path, str, int], ...]) -> str:
    """A sha256 over the names, sizes and hashes of weight files, (path, name, time of change) each."""
    digest = hashlib.sha256()
    for path, name, _ in files:
        with path.open("rb") as stream:
            digest.update(f"{name}:{path.stat().st_size}:".encode())
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


# ---- sentences


@contextlib.contextmanager
def _sentences(name: str, what: str) -> Iterator[None]:
    """Whatever the Hub answers instead of a file, as one sentence."""
    from huggingface_hub import errors

    cannot = f"{name} cannot be loaded as {what}:"
    try:
        yield
    except StudioError:
        raise
    except errors.GatedRepoError:
        raise StudioError(
            f"{cannot} its licence must be accepted first: accept it on its page and give a token in HF_TOKEN."
        ) from None
    except errors.RevisionNotFoundError:
        raise StudioError(f"{cannot} the Hub has no such revision of it; name another or leave it out.") from None
    except errors.RepositoryNotFoundError:
        raise StudioError(f"{cannot} the Hub has no such model, or it is private; check its name.") from None
    except Exception as error:  # of whatever library carries the request
        raise StudioError(
            f"{cannot} the Hub cannot be reached from here ({first_line(error)}): put a copy into GENLAB_HUB."
        ) from None


@contextlib.contextmanager
def loading(name: str, what: str) -> Iterator[None]:
    """Whatever the libraries say of files that they cannot load, as one sentence."""
    from huggingface_hub import errors

    try:
        yield
    except (errors.HfHubHTTPError, OSError) as error:
        raise StudioError(
            f"{name} cannot be loaded as {what}: it is out of reach, or lacks files or safetensors weights "
            f"({first_line(error)}): put a whole copy into the folder GENLAB_HUB."
        ) from None
    except Exception as error:  # a broken file may fail anywhere
        raise StudioError(f"{name} is not {what}: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    """The first line of what a library says, folders of this machine left out; its kind where it says nothing."""
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"(?<![\w:/.])/(?:[^\s/'\"]+/)+", "", line)[:160] or type(error).__name__
