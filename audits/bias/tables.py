"""What an audit is given, checked: names of groups, references, validation items and hand labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

MAX_GROUPS = 100
TOLERANCE = 1e-6  # of the sum of a reference


def as_groups(values, name: str = "predicted") -> pd.Series:
    """Group names (n,) as text, the index kept; ValueError where there are none, or an item has no group."""
    if np.ndim(values) != 1:
        raise ValueError(f"{name} must be a list of group names, one an item, not of shape {np.shape(values)}.")
    series = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    if series.empty:
        raise ValueError(f"{name} is empty: an audit needs at least one item.")
    missing = int(series.isna().sum())
    if missing:
        raise ValueError(
            f"{name} has no group for {missing:,} of {len(series):,} items: "
            "give them one, such as 'unknown', or leave them out."
        )
    if series.dtype.kind == "f" and np.equal(np.mod(series, 1), 0).all():
        series = series.astype(np.int64)  # a column of whole numbers that once had gaps
    return series.astype(str)


def group_names(predicted: pd.Series, *others: Sequence[str]) -> list[str]:
    """All groups in a stable order: those of the first list in `others` that names any, then the rest by name."""
    named = [str(name) for other in others for name in other]
    names = list(dict.fromkeys([*named, *sorted(predicted.unique())]))
    if len(names) > MAX_GROUPS:
        raise ValueError(
            f"There are {len(names):,} groups; an audit takes at most {MAX_GROUPS}: is it the right column?"
        )
    return names


def as_reference(reference, names: list[str]) -> np.ndarray | None:
    """The reference shares (K,) in the order of `names`: None, "uniform", or a mapping or Series name -> share."""
    if reference is None:
        return None
    if isinstance(reference, str):
        if reference != "uniform":
            raise ValueError(f"The reference {reference!r} is unknown: give 'uniform' or a table of group and share.")
        return np.full(len(names), 1 / len(names))
    table = reference_table(reference)
    absent = [name for name in names if name not in table]
    if absent:
        raise ValueError(
            f"The reference has no share for {listed(absent)}, only for {listed(table)}: the names must be the same."
        )
    return np.array([table[name] for name in names])


def reference_table(reference) -> dict[str, float]:
    """A reference as {group: share}; ValueError unless its shares are numbers >= 0 that sum to 1."""
    if not isinstance(reference, Mapping | pd.Series):
        raise ValueError("A reference is 'uniform' or a table from the name of a group to its share.")
    items = list(reference.items())
    try:
        table = {str(name): float(share) for name, share in items}
    except (TypeError, ValueError):
        raise ValueError("A share in the reference is not a number.") from None
    if len(table) != len(items):
        raise ValueError("The reference names a group twice.")
    shares = np.array(list(table.values()))
    if not np.isfinite(shares).all() or (shares < 0).any():
        raise ValueError("The shares of the reference must be numbers from 0 to 1.")
    if abs(shares.sum() - 1) > TOLERANCE:
        raise ValueError(f"The shares of the reference sum to {shares.sum():.6g}; they must sum to 1.")
    return table


def confusion_counts(validation, names: list[str]) -> np.ndarray:
    """Validation items (K, K), row true and column predicted, from a table with those two columns.

    ValueError where a group has no validation item, or the validation holds a group that is not in `names`.
    """
    true, predicted = validation_columns(validation)
    absent = [name for name in names if name not in set(true)]
    if absent:
        raise ValueError(f"The validation has no item whose true group is {listed(absent)}: label some.")
    return _cross(true, predicted, names, "validation")


def validation_columns(validation) -> tuple[pd.Series, pd.Series]:
    """The columns `true` and `predicted` of a validation table, as text."""
    if not isinstance(validation, pd.DataFrame) or not {"true", "predicted"} <= set(validation.columns):
        given = listed(validation.columns) if isinstance(validation, pd.DataFrame) else type(validation).__name__
        raise ValueError(f"The validation must be a table with the columns true and predicted, not {given}.")
    return as_groups(validation["true"], "validation.true"), as_groups(validation["predicted"], "validation.predicted")


def label_counts(predicted: pd.Series, labels: pd.Series, names: list[str]) -> np.ndarray:
    """Hand labels (K, K), row predicted and column true, of the items that somebody has looked at."""
    seen = labels.notna()
    return _cross(predicted[seen], as_groups(labels[seen], "labels"), names, "labels")


def aligned_labels(predicted: pd.Series, labels) -> pd.Series:
    """`labels` on the index of `predicted`, missing where nobody looked; ValueError where they do not belong."""
    if not isinstance(labels, pd.Series):
        labels = pd.Series(labels, index=predicted.index if len(labels) == len(predicted) else None)
    if labels.index.has_duplicates or predicted.index.has_duplicates:
        raise ValueError("An item is named twice: labels can only be matched to items with names of their own.")
    strange = labels.index.difference(predicted.index)
    if len(strange):
        raise ValueError(f"{len(strange):,} labels are of items that are not in the set, such as {strange[0]!r}.")
    labels = labels.reindex(predicted.index)
    if not labels.notna().any():
        raise ValueError("labels holds no label: leave it out, or label some items.")
    return labels


def listed(names, most: int = 5) -> str:
    """The first few names, as a reader sees them."""
    names = [repr(str(name)) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _cross(rows: pd.Series, columns: pd.Series, names: list[str], what: str) -> np.ndarray:
    number = {name: i for i, name in enumerate(names)}
    strange = sorted((set(rows) | set(columns)) - set(names))
    if strange:
        raise ValueError(f"The {what} names {listed(strange)}, which is not among the groups {listed(names)}.")
    cells = rows.map(number).to_numpy() * len(names) + columns.map(number).to_numpy()
    return np.bincount(cells, minlength=len(names) ** 2).reshape(len(names), -1).astype(float)
