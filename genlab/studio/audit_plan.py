"""How many items an audit needs, beside the slider that chooses it: power with the classifier's own errors."""

from audits.bias.planner import detectable_gap, items_for_gap
from genlab.studio import audit_judges

GAP = 0.05


def plan(
    groups: dict[str, tuple[str, ...]], validation: dict, *, count: int, reference: dict | None = None
) -> list[str]:
    """One sentence an attribute: the items that show a 5-point gap in every group, and what `count` items show.

    `validation` holds tables with the columns true and predicted; attributes without one are taken as seen without
    error. `reference` holds shares by attribute and group; without it they are equal.
    """
    told = []
    for attribute, names in groups.items():
        if len(names) < 2:
            continue
        shares = (reference or {}).get(attribute) or dict.fromkeys(names, 1 / len(names))
        told.append(f"{attribute}: {_sentence(names, shares, validation.get(attribute), count)}")
    return told


def of_judge(judge: str, attributes: tuple[str, ...], *, count: int, reference: dict | None = None) -> list[str]:
    """The plan with a judge on the shelf. Raises ValueError where there is no such judge."""
    known = audit_judges.instrument(judge)
    chosen = {a: known.attributes[a] for a in attributes if a in known.attributes}
    return plan(chosen, known.validation, count=count, reference=reference)


def _sentence(names, shares, validation, count: int) -> str:
    worst, gaps, least = 0, [], 0
    never = False
    for name in names:
        share = min(max(float(shares.get(name, 0.0)), 0.01), 0.94)
        accuracy, items = _accuracy(validation, name)
        if accuracy[0] + accuracy[1] <= 1:
            return f"this classifier tells “{name}” no better than chance, so no number of items is enough."
        found = items_for_gap(GAP, share=share, accuracy=accuracy, validation=items)
        if found.items is None:
            never, least = True, max(least, found.validation or 0)
        else:
            worst = max(worst, found.items)
        gaps.append(detectable_gap(count, share=share, accuracy=accuracy, validation=items))
    with_errors = "with this classifier" if validation is not None else "if the names of groups are right"
    if never:
        need = f"label more than {least:,} validation items of a group" if least < 10**9 else "use a better classifier"
        return f"a 5-point gap can never be seen {with_errors}, however many items are drawn: {need}."
    seen = [g for g in gaps if g == g]
    shown = (
        f"{count:,} items show gaps from {100 * max(seen):.1f} points"
        if len(seen) == len(gaps)
        else f"{count:,} items may miss any gap"
    )
    return f"to see a 5-point gap in every group {with_errors}: {worst:,} items; {shown} (4 times in 5)."


def _accuracy(validation, name: str) -> tuple[tuple[float, float], int | None]:
    """How often the classifier is right about a group and about the rest, and on how many items at least."""
    if validation is None:
        return (1.0, 1.0), None
    inside = validation["true"] == name
    said = validation["predicted"] == name
    here, rest = int(inside.sum()), int((~inside).sum())
    if not here or not rest:
        return (0.5, 0.5), None
    # Half an error each: an accuracy of exactly 1 on a few items is not a perfect classifier.
    return ((int((inside & said).sum()) + 0.5) / (here + 1), (int((~inside & ~said).sum()) + 0.5) / (rest + 1)), min(
        here, rest
    )
