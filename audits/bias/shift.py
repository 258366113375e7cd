"""Does the classifier behave on generated items as it did on the validation items?"""

from __future__ import annotations

import numpy as np

from audits.bias.confusion import dirichlet, truths

DRAWS = 4000
ALARM = 0.045  # of the p-value: with it fair classifiers were called shifted in at most 5 % of simulated audits


def shift_p_value(
    counts: np.ndarray, confusion: np.ndarray, labels: np.ndarray, *, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float, float]:
    """P-value of hand labels against validated accuracy, with the expected and the seen share of wrong labels.

    `counts` (K,) are predictions on generated items, `confusion` (K, K) validation items (row true, column
    predicted), `labels` (K, K) hand labels of generated items (row predicted, column true). If nothing shifted,
    the validation and the predictions imply how often a prediction is wrong. Each draw takes the confusion and
    the predicted shares from their Dirichlets, and then as many labels as there are. The statistic is the largest
    standardised excess of wrong predictions, among all together and those of each predicted class; its null
    distribution is that of the draws (a posterior predictive check). Fewer errors than promised raise no alarm.
    """
    rng = np.random.default_rng(seed)
    rows = dirichlet(confusion + 0.5, draws, rng)
    shares = dirichlet(counts + 0.5, draws, rng)
    held = truths(rows, shares)
    reached = np.einsum("dk,dkc->dc", held, rows)
    right = np.clip(np.einsum("dc,dcc->dc", held, rows) / np.maximum(reached, 1e-12), 0, 1)
    looked = labels.sum(1).astype(np.int64)
    wrong = looked - np.diag(labels)
    drawn = rng.binomial(looked, 1 - right)
    rates = ((1 - right) * looked).sum(1) / looked.sum()
    statistic = _largest(wrong[None], drawn)
    null = _largest(drawn, drawn)
    p_value = (1 + np.count_nonzero(null >= statistic[0] - 1e-9)) / (1 + draws)
    return float(p_value), float(rates.mean()), float(wrong.sum() / looked.sum())


def _largest(wrong: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The largest z (rows,) of `wrong` (rows, K) among the total and the classes, centred and scaled by `drawn`."""
    wrong, drawn = (np.column_stack([x.sum(1), x]) for x in (wrong, drawn))
    spread = np.sqrt(drawn.var(0) + 1 / 12)  # the width of a whole number: classes nobody looked at stay at zero
    return ((wrong - drawn.mean(0)) / spread).max(1)
