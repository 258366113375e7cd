"""Models of the Hugging Face Hub by name: pipelines of diffusers that draw, zero-shot classifiers that name groups.

A name is resolved to one commit, and only configurations, tokenizer files and safetensors of it are fetched: no
code, no pickles. So the same name, commit and seed give the same picture, and nothing of a stranger's runs here.
"""

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genlab.studio.shelf import StudioError

MOST_ITEMS = 200  # that one pipeline draws for an audit
MOST_BYTES = 12 * 2**30
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}")
CLASSIFIER = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
STEPS = 25
SECONDS = 10  # that the Hub has to answer


class Stopped(Exception):
    """Somebody pressed stop while a picture was being drawn."""


@dataclass(frozen=True)
class Fetched:
    """A repository on this machine: its folder and the commit it was fetched at."""

    folder: Path
    revision: str


def repository(name: object) -> str:
    """`name` as the name of a repository, "owner/name".

    Raises:
        StudioError: it is something else.
    """
    text = str(name or "").strip().removeprefix("https://huggingface.co/").strip("/")
    if not NAME.fullmatch(text) or ".." in text:
        raise StudioError(
            f"A model of the Hub is named owner/name, such as google/ddpm-cat-256; {text[:60]!r} was given."
        )
    return text


def fetch(name: str, revision: str = "") -> Fetched:
    """The files of one commit of a repository; without a revision, of the newest one, which is then named.

    Raises:
        StudioError: the name is unknown or private, the Hub cannot be reached, or the files are too large or unsafe.
    """
    name = repository(name)
    if revision and not re.fullmatch(r"[\w.-]{1,80}", revision):
        raise StudioError(f"A revision is a commit, a branch or a tag; {revision[:40]!r} was given.")
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub import errors as hub_errors

    missing = (hub_errors.RepositoryNotFoundError, hub_errors.RevisionNotFoundError, hub_errors.GatedRepoError)
    try:
        about = HfApi().model_info(name, revision=revision or None, timeout=SECONDS, files_metadata=True, token=False)
    except missing:
        at = f" at {revision!r}" if revision else ""
        raise StudioError(f"The Hub has no public model {name!r}{at}: check the name.") from None
    except Exception as error:  # every layer below has its own way to say that there is no network
        raise StudioError(_unreachable(name)) from error
    _check_files(name, about.siblings or ())
    try:
        folder = snapshot_download(name, revision=about.sha, allow_patterns=list(WANTED), token=False)
    except Exception as error:
        raise StudioError(_unreachable(name)) from error
    return Fetched(Path(folder), about.sha)


def _unreachable(name: str) -> str:
    return f"The Hub cannot be reached from here, so {name} was not loaded: upload a zip of its pictures instead."


def _check_files(name: str, files: Sequence) -> None:
    wanted = [f for f in files if Path(f.rfilename).suffix in {Path(p).suffix for p in WANTED}]
    if not any(f.rfilename.endswith(".safetensors") for f in wanted):
        raise StudioError(f"{name} has no safetensors weights, and nothing else is loaded from strangers.")
    size = sum(f.size or 0 for f in wanted)
    if size > MOST_BYTES:
        raise StudioError(f"{name} has {size / 2**30:.0f} GiB of files; up to {MOST_BYTES // 2**30} are fetched.")


# ---- pipelines that draw


@functools.lru_cache(maxsize=1)
def pipeline(name: str, revision: str = ""):
    """A diffusers pipeline and the commit it came from; the last one used is kept.

    Raises:
        StudioError: it cannot be fetched, or is no pipeline that diffusers itself knows.
    """
    found = fetch(name, revision)
    from diffusers import DiffusionPipeline

    from genlab.device import serving_device

    try:
        made = DiffusionPipeline.from_pretrained(
            found.folder, revision=found.revision, use_safetensors=True, local_files_only=True
        )
    except Exception as error:  # diffusers raises many kinds on folders that are no pipeline
        raise StudioError(f"{name} is not a pipeline that diffusers can load from safetensors.") from error
    made = made.to(serving_device())
    made.set_progress_bar_config(disable=True)
    return made, found.revision


def draw(made, seed: int, prompt: str = "", *, stop: Callable[[], bool] = lambda: False) -> np.ndarray:
    """One picture of a loaded pipeline, uint8 (h, w, 3): its seed decides it and no neighbour does.

    Raises:
        Stopped: `stop` said so between two steps.
        StudioError: the pipeline asks for something that an audit cannot give, or gives no picture.
    """
    import torch

    accepted = inspect.signature(type(made).__call__).parameters
    given = {"generator": torch.Generator("cpu").manual_seed(seed)}
    if "prompt" in accepted:
        if not prompt:
            raise StudioError("This pipeline draws from a prompt: write one in each line.")
        given["prompt"] = prompt
    wanting = [
        p for p, v in accepted.items() if v.default is inspect.Parameter.empty and v.kind == v.POSITIONAL_OR_KEYWORD
    ]
    if set(wanting) - {"self", "prompt"}:
        raise StudioError(
            f"This pipeline needs {', '.join(sorted(set(wanting) - {'self', 'prompt'}))}, not only a prompt."
        )
    if "num_inference_steps" in accepted:
        given["num_inference_steps"] = STEPS
    if "callback_on_step_end" in accepted:

        def between(pipe, step, time, tensors):
            if stop():
                raise Stopped
            return tensors

        given["callback_on_step_end"] = between
    try:
        images = getattr(made(**given), "images", None)
    except Stopped:
        raise
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise StudioError(
            f"The pipeline failed: {str(error).splitlines()[0][:160] if str(error) else 'no reason given'}"
        ) from error
    if not images:
        raise StudioError("This pipeline gives no pictures: an audit needs one that draws.")
    return np.asarray(images[0].convert("RGB"))


# ---- classifiers that name groups


@functools.lru_cache(maxsize=1)
def classifier(name: str, revision: str = ""):
    """A zero-shot classifier, its processor and the commit they came from; the last one used is kept.

    Raises:
        StudioError: it cannot be fetched, or is no zero-shot image classifier.
    """
    found = fetch(name, revision)
    from transformers import AutoModelForZeroShotImageClassification, AutoProcessor

    from genlab.device import serving_device

    try:
        options = {"local_files_only": True, "trust_remote_code": False}
        processor = AutoProcessor.from_pretrained(found.folder, **options)
        model = AutoModelForZeroShotImageClassification.from_pretrained(found.folder, use_safetensors=True, **options)
    except Exception as error:  # transformers raises many kinds on folders that hold something else
        raise StudioError(f"{name} is not a zero-shot image classifier that transformers can load.") from error
    return model.to(serving_device()).eval(), processor, found.revision


def zero_shot(loaded, images: Sequence[np.ndarray], prompts: Mapping[str, str]) -> list[str]:
    """The group of each picture (h, w, 3): the one whose prompt lies nearest to it.

    Args:
        loaded: what `classifier` gave.
        prompts: a sentence for each group, such as {"glasses": "a drawing of a person with glasses"}.
    """
    import torch
    from PIL import Image

    model, processor, _ = loaded
    groups = list(prompts)
    told = processor(
        text=[prompts[g] for g in groups], images=[Image.fromarray(i) for i in images], return_tensors="pt",
        padding=True, truncation=True,
    ).to(model.device)  # fmt: skip
    with torch.inference_mode():
        best = model(**told).logits_per_image.argmax(1).tolist()
    return [groups[i] for i in best]


def read_prompts(text: object) -> dict[str, str]:
    """Lines such as `glasses: a person with glasses` as {"glasses": "a person with glasses"}.

    Raises:
        StudioError: fewer than two groups, a group twice, or a line without a prompt.
    """
    found: dict[str, str] = {}
    for line in str(text or "").splitlines():
        if not line.strip():
            continue
        group, mark, prompt = (part.strip() for part in line.partition(":"))
        if not (group and mark and prompt):
            raise StudioError(
                f"Write a line for each group, its name, a colon and a prompt; {line.strip()[:60]!r} was given."
            )
        if group in found:
            raise StudioError(f"The group {group[:40]!r} has two prompts: leave one.")
        found[group] = prompt[:300]
    if not 2 <= len(found) <= 100:
        raise StudioError("A zero-shot classifier needs a prompt for each of two groups or more, one a line.")
    return found
