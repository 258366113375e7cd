"""A detector as one file: safetensors with a JSON description in the header; nothing in it is ever run."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genlab.studio.detect import NETWORK, WINDOW, Learnt
from genlab.studio.detect_inputs import LARGE, MOST_COLUMNS
from genlab.studio.shelf import StudioError

FORMAT, LARGEST_FILE = "genlab-detector-1", 512 * 2**20
LARGEST_ITEM = max(3 * LARGE**2, MOST_COLUMNS * WINDOW)  # numbers in an item


def opened(path: Path) -> Learnt:
    """The detector in a file; StudioError where the file is missing, too large or something else."""
    if not path.is_file():
        raise StudioError(f"{path} is not a file.")
    if path.stat().st_size > LARGEST_FILE:
        raise StudioError(f"A detector has up to {LARGEST_FILE >> 20} MiB; {path.name} is larger.")
    return unpack(path.read_bytes())


def pack(learnt: Learnt) -> bytes:
    """The detector as the bytes of such a file."""
    import torch
    from safetensors.torch import save

    tensors = {k: v.contiguous().clone() for k, v in learnt.detector.tensors().items()}
    tensors["calibration"] = torch.from_numpy(learnt.calibration)
    about = {
        "format": FORMAT, "detector": learnt.detector.config(), "columns": list(learnt.columns), "count": learnt.count,
        "notes": list(learnt.notes),
    }  # fmt: skip
    if learnt.normal is not None:
        tensors["normal"] = torch.from_numpy(learnt.normal)
    return save(tensors, metadata={"genlab": json.dumps(about)})


def unpack(raw: bytes) -> Learnt:
    """The detector in a file that `pack` wrote.

    Raises:
        StudioError: it is no such file, or it is damaged.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from genlab.models.detector import Detector
    from genlab.models.evidence import Evidence

    try:
        length = int.from_bytes(raw[:8], "little")
        about: Mapping[str, Any] = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["genlab"])
        if about["format"] != FORMAT:
            raise KeyError(about["format"])
        tensors = load(raw)
        family = Evidence if about["detector"]["method"] in NETWORK else Detector
        if math.prod(about["detector"]["shape"]) > LARGEST_ITEM:
            raise ValueError("shape")
        detector = family.load(about["detector"], tensors)
        detector.surprise(torch.zeros(1, *detector.shape))  # tensors that do not fit each other fail here
        calibration = tensors["calibration"].numpy()
        if calibration.ndim != 1 or not len(calibration) or not np.isfinite(calibration).all():
            raise ValueError("calibration")
        normal = tensors["normal"].numpy() if "normal" in tensors else None
        places = [
            len(normal) > int(t.max()) for k, t in tensors.items() if k.endswith(".places") and normal is not None
        ]
        if not all(places):
            raise ValueError("places")
        notes, columns = tuple(map(str, about["notes"])), tuple(map(str, about["columns"]))
        return Learnt(detector, detector.kind, calibration, columns, normal, int(about["count"]), notes)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, SafetensorError, RecursionError):
        raise StudioError("This file is no detector that was saved here, or it is damaged: learn it again.") from None
