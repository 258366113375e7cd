"""How much of each group a generated set covers: a share that is right may be filled with the same few faces."""

from dataclasses import dataclass

import numpy as np

from audits.quality import prdc

NEIGHBOURS = 5


@dataclass(frozen=True)
class Covered:
    """Recall and coverage of one group's real items by the generated items of that group; NaN below six of either."""

    recall: float
    coverage: float
    real: int
    made: int


def covered(
    real: np.ndarray, real_groups: np.ndarray, made: np.ndarray, made_groups: np.ndarray, *, groups: int, most: int
) -> tuple[Covered, ...]:
    """Coverage of every group, from features (n, w) and (m, w) and group numbers (n,) and (m,).

    Coverage is the share of a group's real items that have a generated one of the group in their neighbourhood, recall
    the share within the generated ones' reach (`audits.quality.prdc`). Both grow with the number of generated items, so
    they compare only at one size; no more than `most` of each side are looked at.
    """
    found = []
    for group in range(groups):
        true, own = real[real_groups == group][:most], made[made_groups == group][:most]
        if min(len(true), len(own)) > NEIGHBOURS:
            figures = prdc(true, own, k=NEIGHBOURS)
            found.append(Covered(figures.recall, figures.coverage, len(true), len(own)))
        else:
            found.append(Covered(float("nan"), float("nan"), len(true), len(own)))
    return tuple(found)
