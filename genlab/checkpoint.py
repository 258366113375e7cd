"""A model is a folder: weights in bf16 safetensors, `config.json` with recipe, figures and hash, and a card."""

import dataclasses
import hashlib
import json
import lzma
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from genlab.models import FAMILIES, build

SHELF = Path(__file__).resolve().parent.parent / "model_cards"
RECORD = "genlab"  # key of our record in a config.json that another library owns
WEIGHTS = "model.safetensors"
LARGEST = 64 * 2**20  # bytes of weights that will be read
PACKED, PACKED_ABOVE = ".xz", 2**17  # how weights over so many bytes are kept where no other library reads them
PACKER = ({"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 1, "lp": 1, "pb": 1, "nice_len": 273},)
SMALL = 4096  # buffers of up to this many numbers keep float32


class CheckpointError(RuntimeError):
    """A model folder cannot be used; the message says why and what to do."""


def names(shelf: Path = SHELF) -> list[str]:
    """Models on the shelf, in alphabetical order."""
    return sorted(p.parent.name for p in shelf.glob("*/config.json"))


def folder_of(name: str, shelf: Path = SHELF) -> Path:
    """The folder of a model by its exact name.

    Raises:
        ValueError: no such model.
    """
    known = names(shelf)
    if name not in known:
        raise ValueError(f"Models are {', '.join(known) or 'none yet'}; {str(name)[:60]!r} was given.")
    return shelf / name


def read(folder: Path) -> dict[str, Any]:
    """A model's `config.json`.

    Raises:
        CheckpointError: it is missing or not as `save` wrote it.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder.name}: config.json cannot be read ({error}); get the folder again.") from None
    if isinstance(config, dict):
        config = config.get(RECORD, config)
    needed = {"name", "recipe", "metrics", "weights_sha256"}
    missing = needed - set(config) if isinstance(config, dict) else needed
    if missing:
        raise CheckpointError(f"{folder.name}: config.json lacks {', '.join(sorted(missing))}; get the folder again.")
    return config


def save(
    model: nn.Module, folder: Path, *, name: str, recipe: dict[str, Any], trained_on: dict[str, Any]
) -> dict[str, Any]:
    """Write weights and `config.json`; figures of earlier weights are dropped. Returns the config.

    Parts that only training needs, which a class names in `SCAFFOLD`, are left out. A model around another library's
    network keeps that library's layout: see `weights_of`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    buffers = {key for key, _ in model.named_buffers()}
    left_out = tuple(f"{part}." for part in getattr(model, "SCAFFOLD", ()))
    raws = {}
    for prefix, file in weights_of(type(model)).items():
        tensors = {}
        for key, value in model.state_dict().items():
            if key.startswith(left_out) or not key.startswith(prefix):
                continue
            keep = not value.is_floating_point() or (key in buffers and value.numel() <= SMALL)
            kept = value if keep else value.to(torch.bfloat16)
            tensors[key.removeprefix(prefix)] = kept.detach().cpu().contiguous().clone()
        raws[file] = save_tensors(tensors, metadata={"format": "pt"})
    config = {
        "name": name,
        "recipe": recipe,
        "metrics": {},
        "weights_sha256": digest(raws.values()),
        "parameters": sum(p.numel() for key, p in model.named_parameters() if not key.startswith(left_out)),
        "trained_on": trained_on,
        "versions": versions(),
    }
    described = model.library_files() if hasattr(model, "library_files") else {}
    for place, text in described.items():
        write(folder / place, text.encode())
    if hasattr(model, "take_library_files"):
        config["files_sha256"] = {place: hashlib.sha256(text.encode()).hexdigest() for place, text in described.items()}
    packed = type(model) in FAMILIES.values() and not hasattr(model, "library_files")
    for file, raw in raws.items():
        write_weights(folder / file, raw, packed=packed)
    if hasattr(model, "library_config"):
        write_json(folder / "config.json", model.library_config() | {RECORD: config})
    else:
        write_json(folder / "config.json", config)
    return config


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write our record into `config.json`, beside what another library keeps there."""
    path = folder / "config.json"
    whole = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    write_json(path, whole | {RECORD: config} if RECORD in whole else config)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file by temporary file and rename."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write(path, text.encode())


def weights_of(family: str | type[nn.Module] | None) -> dict[str, str]:
    """Where in a folder the weights lie, by what the tensors' names begin with in the model but not in the file.

    A class whose networks another library can open names them in `WEIGHTS` and has `library_files`, the descriptions
    which that library asks for; every other one is kept whole in `model.safetensors`. Where the library owns
    `config.json` too, `library_config` is what it holds, and our record is its key `genlab`.
    """
    kind = family if isinstance(family, type) else FAMILIES.get(str(family))
    return {part and f"{part}.": file for part, file in getattr(kind, "WEIGHTS", (("", WEIGHTS),))}


def digest(raws: Iterable[bytes]) -> str:
    """sha256 of weights, hexadecimal: of the one file, or of several after each other."""
    made = hashlib.sha256()
    for raw in raws:
        made.update(raw)
    return made.hexdigest()


def files_of(folder: Path) -> list[str]:
    """The files that `save` wrote into a folder, `config.json` last."""
    files = weights_of(read(folder)["recipe"]["family"]).values()
    described = [path for path in sorted(folder.rglob("*.json")) if path.name != "recipe.json"]
    beside = [str(path.relative_to(folder)) for path in described if path != folder / "config.json"]
    kept = [file if (folder / file).exists() else file + PACKED for file in files]
    return [*kept, *beside, "config.json"]


def drop_weights(folder: Path) -> None:
    """Remove a folder's weights, so that others can take their place in either form."""
    if (folder / "config.json").exists():
        for file in weights_of(read(folder)["recipe"]["family"]).values():
            (folder / file).unlink(missing_ok=True)
            (folder / (file + PACKED)).unlink(missing_ok=True)


def write(path: Path, raw: bytes) -> None:
    """Replace a file as a whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(raw)
    os.replace(partial, path)


def write_weights(path: Path, raw: bytes, *, packed: bool) -> None:
    """A safetensors file, or beside its place `<name>.xz` where `packed` and over 128 KiB: a third less, the same bits.

    Of a bf16 number one byte is nearly noise and the other repeats, so the packer is told to keep them apart. `xz -d`
    unpacks.
    """
    beside = path.with_name(path.name + PACKED)
    if packed and len(raw) > PACKED_ABOVE:
        write(beside, lzma.compress(raw, filters=PACKER))
        path.unlink(missing_ok=True)
    else:
        write(path, raw)
        beside.unlink(missing_ok=True)


def read_weights(path: Path) -> bytes | None:
    """What `write_weights` wrote at this place; None where nothing is there, it is damaged or over `LARGEST` bytes."""
    beside = path.with_name(path.name + PACKED)
    if path.is_file():
        return path.read_bytes() if path.stat().st_size <= LARGEST else None
    if not beside.is_file() or beside.stat().st_size > LARGEST:
        return None
    try:
        unpacker = lzma.LZMADecompressor()
        raw = unpacker.decompress(beside.read_bytes(), LARGEST + 1)
    except lzma.LZMAError:
        return None
    return raw if unpacker.eof and len(raw) <= LARGEST else None


def load(folder: Path, device: str | torch.device = "cpu") -> nn.Module:
    """The model of a folder, ready to use: hash verified, loaded strictly, float32, `eval()`.

    Raises:
        CheckpointError: a file is missing, or the weights are not those that `config.json` describes.
    """
    config = read(folder)
    recipe = config["recipe"]
    files = weights_of(recipe.get("family") if isinstance(recipe, dict) else None)
    raws = {prefix: read_weights(folder / file) for prefix, file in files.items()}
    for prefix, raw in raws.items():
        if raw is None:
            raise CheckpointError(f"{config['name']}: {files[prefix]} is missing or too large; get the folder again.")
    if digest(raws.values()) != config["weights_sha256"]:
        raise CheckpointError(
            f"{config['name']}: the weights are not those of config.json (sha256 differs); get the folder again."
        )
    try:
        model = build(config["recipe"]["family"], config["recipe"]["model"])
        for part in getattr(model, "SCAFFOLD", ()):
            setattr(model, part, None)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"{config['name']}: the recipe builds no model ({error}).") from None
    try:
        tensors = {prefix + key: value for prefix, raw in raws.items() for key, value in load_tensors(raw).items()}
        model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(f"{config['name']}: the weights do not fit the model ({reason}).") from None
    if hasattr(model, "take_library_files"):
        take_files(model, folder, config)
    if "few_steps" in config:
        try:
            model.take_few_steps(config["few_steps"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{config['name']}: few_steps of config.json cannot be read ({error}).") from None
    return model.to(device).eval().requires_grad_(False)


def take_files(model: nn.Module, folder: Path, config: dict[str, Any]) -> None:
    """Give a model the files that belong to it beside its weights, each verified by its hash.

    Raises:
        CheckpointError: one is missing, is not the one that `config.json` describes, or cannot be read.
    """
    try:
        for place, expected in config["files_sha256"].items():
            if hashlib.sha256((folder / place).read_bytes()).hexdigest() != expected:
                raise CheckpointError(
                    f"{config['name']}: {place} is not that of config.json (sha256 differs); get the folder again."
                )
        model.take_library_files(folder)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{config['name']}: its tokenizer cannot be read ({error}).") from None


def versions() -> dict[str, str]:
    """Versions of what decides a model's numbers."""
    import platform

    return {"python": platform.python_version(), "torch": torch.__version__.split("+")[0]}


def plain(recipe: Any) -> dict[str, Any]:
    """A recipe as JSON holds it: tuples become lists."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))
