"""Language models of the Hub, `hub:owner/model` or `hub:owner/model@revision`, under the limits of `hub`.

Models that transformers loads for causal language modelling write and are read, those for masked language modelling
fill gaps. Only safetensors weights and a tokenizer of the library `tokenizers` are loaded, and no code is run.
"""

import dataclasses
import functools
from typing import Any

from genlab.studio import hub, shelf
from genlab.studio.hub import Found
from genlab.studio.shelf import Entry, StudioError

PREFIX, FAMILY = "hub:", "hub"
WHAT = {"write": "a causal language model", "fill": "a masked language model"}
LONGEST = 1024  # tokens of context that are used


def is_hub(model: object) -> bool:
    """Whether a name is of a model of the Hub."""
    return isinstance(model, str) and model.startswith(PREFIX)


def opened(model: str, capability: str) -> tuple[Entry, Any]:
    """What is known of a model that has the capability, and the model: of the shelf, or of the Hub.

    Raises:
        ValueError: one sentence: no such model, it cannot do that, or the Hub's limits forbid it.
    """
    if not is_hub(model):
        known = shelf.require(model, capability)
        return known, shelf.model(known.name)
    if capability not in WHAT:
        raise StudioError(f"Models of the Hub write or fill gaps here; {capability} is for models of this shelf.")
    found = find(model.removeprefix(PREFIX), WHAT[capability])
    network = loaded(found, capability)
    knobs = shelf.knob_specs(network) if capability == "write" else ()
    name = f"{PREFIX}{found.name}"
    return Entry(name, found.revision, FAMILY, "the Hub", network.shape, (capability,), (), knobs, 0), network


def find(text: str, what: str) -> Found:
    """A language model by name: checked, and downloaded where it is not here yet.

    Raises:
        StudioError: as `hub.find`.
    """
    name, asked = hub.named(text)
    folder = hub.copy_of(name)
    if folder is not None:
        return hub.copied(name, asked, folder, lambda files: _wanted(name, files))
    from huggingface_hub import snapshot_download

    commit, files = hub.listed(name, asked, what)
    wanted = _wanted(name, files)
    hub.check_size(name, (files[file] for file in wanted))
    with hub.loading(name, what):
        return Found(name, commit, snapshot_download(name, revision=commit, allow_patterns=wanted))


def _wanted(name: str, files: dict[str, int]) -> list[str]:
    """The files at the top of a repository that are read.

    Raises:
        StudioError: it has no safetensors weights, or no description.
    """
    top = [file for file in files if "/" not in file and file.endswith(hub.READ)]
    kept = [file for file in top if not file.endswith(hub.READ[-1]) or hub.is_weights(file)]
    if "config.json" not in kept:
        raise StudioError(f"{name} is no model of transformers: it has no config.json; name one that has.")
    if not any(map(hub.is_weights, kept)):
        raise StudioError(f"{name} has no safetensors weights, and no others are read: name another.")
    return kept


@functools.lru_cache(maxsize=2)
def loaded(found: Found, capability: str):
    """The model, ready to use, the last two kept.

    Raises:
        StudioError: it cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

    from genlab.device import lasting_device
    from genlab.models.bert import BERT
    from genlab.models.gpt import GPT

    kind = AutoModelForCausalLM if capability == "write" else AutoModelForMaskedLM
    with hub.loading(found.name, WHAT[capability]):
        here = {"local_files_only": True, "trust_remote_code": False}
        network = kind.from_pretrained(found.folder, use_safetensors=True, dtype=torch.float32, **here)
        tokenizer = AutoTokenizer.from_pretrained(found.folder, use_fast=True, **here)
        described = tokenizer.backend_tokenizer.to_str()
    context = min(LONGEST, int(getattr(network.config, "max_position_embeddings", LONGEST) or LONGEST))
    if capability == "write":
        if tokenizer.eos_token_id is None:
            raise StudioError(f"The tokenizer of {found.name} has no token that ends a text: name another model.")
        made = GPT.around(network, described=described, context=context, end=tokenizer.eos_token_id)
    else:
        frame = (tokenizer.cls_token_id, tokenizer.sep_token_id)
        if None in (*frame, tokenizer.mask_token):
            raise StudioError(
                f"The tokenizer of {found.name} lacks a mask or marks of a text's ends: name another model."
            )
        made = BERT.around(
            network, described=described, context=context, frame=frame, mask=tokenizer.mask_token,
            barred=sorted(tokenizer.all_special_ids),
        )  # fmt: skip
    return made.to(lasting_device()).eval().requires_grad_(False)


def checked_knobs(network, knobs) -> dict[str, float | str]:
    """Every knob of a writer with the value it has in this request.

    Raises:
        ValueError: an unknown name, or a value out of its range.
    """
    from genlab.models.contract import check_knobs

    return dataclasses.asdict(check_knobs(network.Knobs, knobs))
