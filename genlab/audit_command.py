"""The command `python -m genlab audit`: draw from a model here, let its judge name the groups, and audit them.

Of a model of texts, pairs of sentences are scored instead.
"""

from collections.abc import Sequence
from pathlib import Path

from audits.report import Report, figure
from genlab.studio import bias_audit, collect, pair_audit, shelf
from genlab.studio.bias_audit import Asked
from genlab.terminal import console, new_table


def audit_model(
    name: str, *, count: int | None, seed: int, groups: Sequence[str], reference: str | None, question: str, out: Path,
    progress,
) -> Report:  # fmt: skip
    """Audit `count` items of a model into the folder `out`: four reports, a table of groups, and a sheet a group.

    Of a model of texts: the reports, and the pairs of sentences with their scores.

    Args:
        count: None for the usual number, 400 pictures or 2,000 names.
        groups: none for the usual ones, tone of pictures or all of names.
        reference: "uniform", "training", "none", or a CSV file with the columns group and share (of the first group);
            None for the usual one, training for names and else uniform.
        progress: told (done, total, what) as items are drawn.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    from audits.bias.cells import table_csv

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty: name a new folder.")
    known, own = shelf.entry(name), ""
    if pair_audit.scored(known) and (count or groups or reference):
        raise ValueError(f"{name} is audited by pairs of sentences: leave --count, --groups and --reference out.")
    writes = bool(known.groups)
    groups = list(groups) or (collect.attributes_of(known) if writes else ["tone"])
    order = [a for a, _ in known.groups]  # of names: ties run from the attribute that is told first
    groups = sorted(groups, key=lambda group: order.index(group) if group in order else 0)
    count, reference = count or (2000 if writes else 400), reference or ("training" if writes else "uniform")
    if reference not in ("uniform", "training", "none"):
        own, reference = _shares(Path(reference), groups), "own"
    words = {"training": "training data", "own": "own shares"}
    asked = Asked(tuple(groups), words.get(reference, reference), own, question, seed=seed)
    work = collect.from_model(name, count=count, seed=seed, columns=groups)
    while True:
        try:
            progress(*next(work))
        except StopIteration as done:
            collected = done.value
            break
    audited = bias_audit.audit(collected, asked)
    audited.report.write(out)
    if collected.scores is not None:
        (out / "pairs.csv").write_text(table_csv(collected.scores), encoding="utf-8")
        return audited.report
    (out / "items.csv").write_text(table_csv(collected.items.table.reset_index()))
    for column, shares in audited.by_column.items():
        for found in shares:
            png = bias_audit.contact_sheet(collected, column, found.name)
            if png is not None:
                (out / f"{column}-{found.name}.png".replace(" ", "-")).write_bytes(png)
    return audited.report


def _shares(path: Path, groups: Sequence[str]) -> str:
    from audits.bias.inputs import read_table

    table = read_table(path, ["group", "share"])
    return "\n".join(f"{groups[0]}.{g}, {s}" for g, s in zip(table["group"], table["share"], strict=True))


def run(arguments, bar) -> int:
    """Run the command, show a bar, print the figures."""
    groups = arguments.groups.split(",") if arguments.groups else ()
    with bar() as shown:
        task = shown.add_task(arguments.name, total=None, note="")
        report = audit_model(
            arguments.name, count=arguments.count, seed=arguments.seed, groups=groups,
            reference=arguments.reference, question=arguments.question, out=arguments.out,
            progress=lambda done, total, what: shown.update(task, completed=done, total=total, note=what),
        )  # fmt: skip
    table = new_table("figure", "value", "95 % interval", "floor", "verdict")
    for f in report.findings:
        table.add_row(f.name, figure(f.value), f"{figure(f.low)} to {figure(f.high)}", figure(f.floor), f.verdict)
    console().print(table)
    for caveat in report.caveats:
        console().print(f"  {caveat}", highlight=False, markup=False)
    return 0
