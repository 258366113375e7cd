"""What the Hub reads at the head of a model card: licence, task, data, and the figures as a model index."""

import re
from typing import Any

from genlab.card_text import spoken
from genlab.models import FAMILIES

LICENCE = "apache-2.0"
# Identifiers of SPDX that the Hub also takes (there in lower case).
SPDX = frozenset({
    "apache-2.0", "mit", "isc", "bsd-2-clause", "bsd-3-clause", "mpl-2.0", "gpl-2.0", "gpl-2.0-or-later", "gpl-3.0",
    "lgpl-3.0", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0",
    "unlicense",
})  # fmt: skip
FREE = "public domain"  # no licence, and none is needed
TASKS = {
    "sample": "unconditional-image-generation",
    "logits": "image-classification",
    "encode": "image-feature-extraction",
    "compress": "image-to-image",
    "compress_items": "image-to-image",
    "write": "text-generation",
    "fill": "fill-mask",
}  # what a model is for on the Hub: the first of these that it has


def lawful(licence: str) -> bool:
    """Whether data is under licences of `SPDX`, joined by "and", or free; what stands in brackets is a remark."""
    parts = re.sub(r" \([^()]*\)", "", licence.lower()).split(" and ")
    return all(part in SPDX or part == FREE for part in parts)


def front_matter(config: dict[str, Any], source) -> str:
    """The YAML that the Hub reads, with a model index whose arguments carry interval, n and floor.

    Args:
        source: where the data comes from, with `hub` and `title`.
    """
    from huggingface_hub import EvalResult, ModelCardData

    family = config["recipe"]["family"]
    task = next(task for member, task in TASKS.items() if hasattr(FAMILIES[family], member))
    results = [
        EvalResult(
            task_type=task,
            dataset_type=source.hub,
            dataset_name=source.title,
            dataset_split="test",
            metric_type=name,
            metric_value=metric["value"],
            metric_name=spoken(name),
            metric_args={key: metric[key] for key in ("low", "high", "n", "floor", "unit") if metric[key] is not None},
        )
        for name, metric in config["metrics"].items()
    ]
    data = ModelCardData(
        license=LICENCE,
        library_name="transformers" if hasattr(FAMILIES[family], "library_config") else "genlab",
        pipeline_tag=task,
        tags=["genlab", family, config["recipe"]["data"], "responsible-ai"],
        datasets=[source.hub],
        model_name=config["name"],
        eval_results=results or None,
    )
    return data.to_yaml().strip()
