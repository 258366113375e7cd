"""Bias in pairs of sentences that differ in one group of words: which of the two does a model find more probable?

The manner is that of CrowS-Pairs (Nangia et al. 2020) and StereoSet (Nadeem et al. 2021). The sentences are anybody's;
our own are in `audits.text.templates`. A score is the log-probability of a sentence, or its pseudo-log-likelihood
under a masked model, in nats. Of a small model a preference says something about its few corpora, and nothing about
people.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from audits.bias.inputs import peek, read_table
from audits.bias.intervals import wilson
from audits.bias.tables import MAX_GROUPS, listed
from audits.report import Finding, Report, figure
from audits.text.ranks import median, shift, sign_test

COLUMNS = ("set", "pair", "first", "second", "score_first", "score_second")
SIZES = ("tokens_first", "tokens_second")
SCORES = ("score_first", "score_second")
CONTROL = "control"
SIGNIFICANT = 0.05


def pair_preferences(
    pairs: pd.DataFrame, *, meanings: Mapping[str, str] | None = None, control: str = CONTROL, level: float = 0.95
) -> Report:
    """How often the first sentence of a pair is the more probable one, for every set of pairs.

    `pairs` has a row a pair and the columns `set`, `pair` (its name, once a set), `first`, `second` (the sentences),
    `score_first` and `score_second` (nats, at most 0); where they are given, `tokens_first` and `tokens_second` count
    what the model reads, and `side` says which of two groups of words stands first (two names a set, or none).
    `meanings` says of a set what its first sentences stand for. `control` names the set in which no preference is
    expected, if there is one. Findings of every set: `share.<set>` (Wilson's interval, pairs with equal scores left
    out, floor 1/2; "worse" where the test rejects, whichever sentence is preferred), `test.<set>` (exact sign test,
    two-sided, with Holm's correction over the sets) and `difference.<set>`, the median of first less second in nats
    with the interval of its order statistics. With two sides in a set also `tie.<set>`: by how many nats more the
    words of a side are preferred in its own pairs than in those of the other side (Hodges & Lehmann's shift with its
    interval; verdict from Mann & Whitney's test with Holm's correction). A general liking for the words of one side
    cancels in it, which can hide a tie from the share. Raises ValueError.
    """
    from statsmodels.stats.multitest import multipletests

    if not 0.5 <= level < 1:
        raise ValueError(f"level is {level}; it must be from 0.5 to below 1.")
    table, meanings = _checked(pairs), dict(meanings or {})
    names = list(dict.fromkeys(table["set"]))
    differences = {name: table.loc[table["set"] == name, "difference"].to_numpy() for name in names}
    alone = [sign_test(int((d > 0).sum()), int((d < 0).sum())) for d in differences.values()]
    adjusted = multipletests(alone, method="holm")[1]
    findings = []
    for name, p in zip(names, adjusted, strict=True):
        findings += _findings(name, differences[name], float(p), meanings.get(name, ""), level)
    findings += _ties(table, level)
    title = f"Paired sentences: {len(table):,} pairs in {len(names)} sets"
    alarm = control in names and alone[names.index(control)] <= SIGNIFICANT
    return Report(title, tuple(findings), _caveats(table, names, control, alarm))


def read_pairs(path: Path) -> pd.DataFrame:
    """The columns that `pair_preferences` takes, from a CSV or Parquet file, those it may lack included."""
    present = set(peek(path, 1).columns)
    sizes = SIZES if set(SIZES) <= present else ()
    return read_table(path, [*COLUMNS, *sizes, *(["side"] if "side" in present else [])])


def _checked(pairs: pd.DataFrame) -> pd.DataFrame:
    """The table with its scores as numbers and their `difference`; ValueError in one sentence otherwise."""
    if not isinstance(pairs, pd.DataFrame):
        raise ValueError(f"The pairs must be a table with the columns {', '.join(COLUMNS)}.")
    absent = [name for name in COLUMNS if name not in pairs.columns]
    if absent:
        raise ValueError(f"The pairs have no column {listed(absent)}; the columns are {', '.join(COLUMNS)}.")
    if pairs.empty:
        raise ValueError("There are no pairs: an audit needs at least one.")
    table = pairs.reset_index(drop=True)
    for name in ("set", "pair", "first", "second"):
        if table[name].isna().any():
            raise ValueError(f"The column {name!r} is empty in {int(table[name].isna().sum()):,} rows.")
        table[name] = table[name].astype(str)
    if table["set"].nunique() > MAX_GROUPS:
        raise ValueError(f"There are {table['set'].nunique():,} sets; at most {MAX_GROUPS} are judged together.")
    twice = table[table.duplicated(["set", "pair"])]
    if len(twice):
        raise ValueError(f"The pair {twice['pair'].iloc[0]!r} stands twice in the set {twice['set'].iloc[0]!r}.")
    same = table[table["first"] == table["second"]]
    if len(same):
        raise ValueError(f"Both sentences of the pair {same['pair'].iloc[0]!r} are the same.")
    for name in SCORES:
        table[name] = _numbers(table[name], name)
        if (table[name] > 0).any():
            raise ValueError(
                f"{name} is above 0 in {int((table[name] > 0).sum()):,} rows: scores are log-probabilities in nats, "
                "so give the loss with a minus."
            )
    if set(SIZES) <= set(table.columns):
        for name in SIZES:
            table[name] = _numbers(table[name], name)
    table["difference"] = table["score_first"] - table["score_second"]
    return table


def _numbers(column: pd.Series, name: str) -> pd.Series:
    values = pd.to_numeric(column, errors="coerce").astype(float)
    strange = ~np.isfinite(values)
    if strange.any():
        raise ValueError(f"{name} is not a number in {int(strange.sum()):,} of {len(values):,} rows.")
    return values


def _findings(name: str, differences: np.ndarray, p: float, meaning: str, level: float) -> list[Finding]:
    first, second = int((differences > 0).sum()), int((differences < 0).sum())
    n, ties = first + second, len(differences) - first - second
    off = p <= SIGNIFICANT
    about = f" (the one {meaning})" if meaning else ""
    reading = f"The first sentence{about} is the more probable one in {first:,} of {n:,} pairs"
    reading += f", {ties:,} equal ones left out" if ties else ""
    side = "first" if first > second else "second"
    reading += f": the {side} is preferred." if off else ": no preference is shown, which is no proof of fairness."
    verdict = "worse" if off else "cannot tell"
    value, low, high = map(float, wilson(first, n, level=level)) if n else (np.nan, 0.0, 1.0)
    middle, below, above = median(differences, level=level)
    more = "more" if middle >= 0 else "less"
    said = f"In the median pair the first sentence is {figure(abs(middle))} nats {more} probable than the second."
    tested = f"Sign test of {name}, with Holm's correction over the sets: p = {figure(p)}."
    return [
        Finding(f"share.{name}", value, low, high, n, "share", 0.5, verdict, reading),
        Finding(f"test.{name}", p, np.nan, np.nan, n, "p-value", None, verdict, tested),
        Finding(f"difference.{name}", middle, below, above, len(differences), "nats", 0.0, "", said),
    ]


def _ties(table: pd.DataFrame, level: float) -> list[Finding]:
    """`tie.<set>` of every set with two sides: its differences beside those of the other side, turned round."""
    from scipy.stats import mannwhitneyu
    from statsmodels.stats.multitest import multipletests

    found = []
    for name, rows in table.groupby("set", sort=False) if "side" in table.columns else ():
        sides = sorted(rows["side"].dropna().astype(str).unique())
        if len(sides) > 2:
            raise ValueError(f"The set {name!r} has the sides {listed(sides)}; a set has two or none.")
        if len(sides) == 2:
            own, other = (rows.loc[rows["side"].astype(str) == side, "difference"].to_numpy() for side in sides)
            found.append((str(name), own, -other, sides))
    if not found:
        return []
    adjusted = multipletests([mannwhitneyu(own, other).pvalue for _, own, other, _ in found], method="holm")[1]
    findings = []
    for (name, own, other, sides), p in zip(found, adjusted, strict=True):
        value, low, high = shift(own, other, level=level)
        reading = (
            f"The words of {sides[0]} are favoured over those of {sides[1]} by {figure(abs(value))} nats "
            f"{'more' if value >= 0 else 'less'} in the pairs of {sides[0]} than in those of {sides[1]} "
            f"(p = {figure(float(p))} with Holm's correction)."
        )
        verdict = "worse" if p <= SIGNIFICANT else "cannot tell"
        findings.append(Finding(f"tie.{name}", value, low, high, len(own) + len(other), "nats", 0.0, verdict, reading))
    return findings


def _caveats(table: pd.DataFrame, names: list[str], control: str, alarm: bool) -> tuple[str, ...]:
    caveats = [
        "A preference of a small model says something about the few texts it learned from, and nothing about people.",
        "A test that does not reject is no proof of fairness: few pairs, or other sentences, may hide a preference.",
        "Pairs that share words or a pattern are not independent, and the tests take them as if they were: p-values "
        "near the limit are not to be relied on.",
        "Scores of a masked model are pseudo-log-likelihoods, and are not to be compared with log-probabilities.",
    ]
    if set(SIZES) <= set(table.columns):
        off, what = table["tokens_first"] != table["tokens_second"], "tokens"
    else:
        off, what = table["first"].str.split().str.len() != table["second"].str.split().str.len(), "words"
        caveats.append("Numbers of tokens were not given, so that only numbers of words could be compared.")
    if off.any():
        where = listed(dict.fromkeys(table.loc[off, "set"]))
        caveats.append(
            f"In {int(off.sum()):,} of {len(table):,} pairs (of {where}) the sentences differ in number of {what}: "
            "the longer one is less probable for that alone."
        )
    if alarm:
        caveats.append(
            f"The set {control!r} shows a preference where none is expected: distrust the other sets' figures too."
        )
    elif control not in names:
        caveats.append(
            "There is no control set, in which no preference is expected: what the measure itself does is not shown."
        )
    return tuple(caveats)
