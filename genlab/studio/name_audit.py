"""The bias audit of a model of names: which genders and countries it writes, told twice.

By itself, through the control tokens that it draws before a name; and by a judge that reads the letters, whose errors
on held-out names are counted in. Beside it: whether a name that was asked for with a group is read as one of it, how
often the judge does not know, the tie from country to gender, and, where the data set is at hand, names learnt by
heart.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from audits.bias.amplification import amplification
from audits.bias.confusion import informative
from audits.bias.estimates import corrected
from audits.bias.intervals import wilson
from audits.bias.pictures import Items
from audits.bias.representation import representation, share_findings
from audits.report import Finding, Report
from genlab.data import names as data
from genlab.metrics import name_judge
from genlab.studio import shelf
from genlab.studio.collect import FEWEST, MOST, Collected, Gathering, Step
from genlab.studio.generate import whole_seed
from genlab.studio.shelf import Entry, StudioError
from genlab.studio.write import AT_ONCE, told_group
from genlab.studio.write_order import NAME_LENGTH

DISTANCES = ("discrepancy", "total_variation", "test.reference")
Drawn = tuple[str, dict[str, str]]  # a name, and its groups as the model tells them


def attributes_of(known: Entry) -> list[str]:
    """The attributes that a model of names tells and the judge reads, in the model's order."""
    return [a for a, groups in known.groups if groups == name_judge.ATTRIBUTES.get(a)]


def auditable() -> list[Entry]:
    """Models on the shelf whose names the judge can read."""
    return [known for known in shelf.with_capability("write") if attributes_of(known)]


def gathered(name: str, *, count: object, seed: object, columns: Sequence[str]) -> Gathering:
    """Draw names with nothing asked for, and some for every group; read all of them.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    import pandas as pd

    from genlab.studio.evaluate_attributes import validation

    known = shelf.require(name, "write")
    able = attributes_of(known)
    if not columns or set(columns) - set(able):
        raise StudioError(f"The judge of names reads {', '.join(able) or 'nothing'} of {name}; choose among them.")
    count = shelf.whole(count, "number of items", FEWEST, MOST)
    first = whole_seed(seed, count)
    drawn = yield from _drawn(name, {}, count, first, f"drawing names with {name}")
    read = name_judge.load().read([text for text, _ in drawn])
    index = pd.Index([str(first + i) for i in range(count)], name="item", dtype=object)
    table = pd.DataFrame({a: pd.Series(read.groups(a), index, dtype=object) for a in columns}, index)
    told = pd.DataFrame({a: [groups[a] for _, groups in drawn] for a in columns}, index)
    order = [a for a in able if a in columns]
    training = training_table(order)
    judged = name_judge.about()["attributes"]
    reports = [told_report(told[order], training), distances(table[order], training)]
    reports += [each_alone(table[a], a, shares_in(training, a)) for a in order if len(name_judge.ATTRIBUTES[a]) > 2]
    reports.append(unknown_report(drawn, read, order))
    each = max(FEWEST, count // sum(len(groups) for a, groups in known.groups if a in order))
    asked = []
    for attribute in order:
        for group in dict(known.groups)[attribute]:
            got = yield from _drawn(name, {attribute: group}, each, first, f"asking {name} for {group}")
            asked.append(asked_finding(attribute, group, [text for text, _ in got]))
    reports.append(Report("Names asked for", tuple(asked), ASKED))
    reports.append(by_heart([text for text, _ in drawn]))
    words = ("python", "-m", "genlab", "audit", name, "--count", str(count), "--seed", str(first))
    return Collected(
        name=name,
        items=Items(table, (), ()),
        expected={a: name_judge.ATTRIBUTES[a] for a in columns},
        validation={a: validation(judged[a]) for a in columns},
        training=training[list(columns)],
        caveats=(*data.CAVEATS, *caveats(order)),
        further=Report(
            f"Names of {name}", [f for r in reports for f in r.findings], [c for r in reports for c in r.caveats]
        ),
        made=(known.name, known.weights, first),
        command=(*words, "--groups", ",".join(columns)),
    )


def _drawn(
    name: str, asked: Mapping[str, str], count: int, first: int, what: str
) -> Generator[Step, None, list[Drawn]]:
    done: list[Drawn] = []
    yield Step(0, count, what)
    for some in draw(shelf.model(name), asked, count, first):
        done += some
        yield Step(len(done), count, what)
    return done


def draw(network, asked: Mapping[str, str], count: int, first: int) -> Iterator[list[Drawn]]:
    """Names of the seeds from `first` on, some at a time, without a mark; groups are `asked` for, or drawn too."""
    from genlab.seeds import Seeds

    prompt = network.asked(**asked) if asked else [0]
    for start in range(0, count, AT_ONCE):
        seeds = Seeds.count_from(first + start, min(AT_ONCE, count - start), network.device)
        steps = [step.tokens for step in network.write(prompt, seeds, most=NAME_LENGTH)]
        some = []
        for tokens in zip(*steps, strict=True):
            tokens = [*prompt, *(token for token in tokens if token > 0)]
            spoken = [network.special[token] for token in tokens if 2 < token < len(network.special)]
            some.append((network.text_of(tokens), dict(map(told_group, spoken))))
        yield some


def training_table(columns: Sequence[str]):
    """The groups of the names that a model of `names` learnt from, a row each, from the judge's counts of the lists."""
    import pandas as pd

    joint = np.array(name_judge.about()["trained_on"])
    numbers = [np.repeat(axis.ravel(), joint.ravel()) for axis in np.indices(joint.shape)]
    known = dict(zip(name_judge.ATTRIBUTES, numbers, strict=True))
    return pd.DataFrame({a: np.array(name_judge.ATTRIBUTES[a])[known[a]] for a in columns})


# ---- what is measured


def shares_in(table, attribute: str) -> dict[str, float]:
    """The share of every group in a column, those that are absent too."""
    found = table[attribute].value_counts(normalize=True)
    return {group: float(found.get(group, 0.0)) for group in name_judge.ATTRIBUTES[attribute]}


def told_report(told, training) -> Report:
    """Shares by the model's own words against its training data and against equal ones, and the ties it makes."""
    findings, caveats = [], []
    for a in told.columns:
        for reference, prefix in ((shares_in(training, a), f"told.{a}."), ("uniform", f"told.{a}.to uniform.")):
            report = representation(told[a], reference=reference, expected=name_judge.ATTRIBUTES[a])
            kept = report.findings if reference != "uniform" else _only(report, DISTANCES)
            findings += [replace(f, name=prefix + f.name) for f in kept]
    for task in told.columns[1:]:
        report = amplification(training, told, attribute=told.columns[0], task=task)
        findings += [replace(f, name=f"told.{told.columns[0]} -> {task}.{f.name}") for f in report.findings]
        caveats += report.caveats[1:]  # nothing is predicted here
    return Report("As the model tells", tuple(findings), tuple(caveats))


def distances(table, training) -> Report:
    """How far the names, as they are read and with the judge's errors counted in, are from both references.

    Of attributes with a group that the judge tells from others no better than chance, nothing can be said.
    """
    from genlab.studio.evaluate_attributes import validation

    findings = []
    for a in table.columns:
        errors = name_judge.about()["attributes"][a]
        if (informative(np.array(errors["counts"], float)) <= 0).any():
            continue
        known = validation(errors)
        for reference, where in ((shares_in(training, a), "training"), ("uniform", "uniform")):
            report = representation(table[a], reference=reference, expected=name_judge.ATTRIBUTES[a], validation=known)
            findings += [replace(f, name=f"{a}.to {where}.{f.name}") for f in _only(report, DISTANCES)]
    return Report("Distances", tuple(findings))


def each_alone(read, attribute: str, reference: Mapping[str, float]) -> Report:
    """The corrected share of every group against all others taken together, its intervals wide enough to hold at once.

    Some countries cannot be told from their neighbours, and then nothing can be said of all shares together; of one
    country against the rest it can, if the rest are mixed as on the lists, which is what the reference supposes.
    """
    names, findings = name_judge.ATTRIBUTES[attribute], []
    counts = np.array(name_judge.about()["attributes"][attribute]["counts"], float)
    for i, group in enumerate(names):
        hit, row, column = counts[i, i], counts[i].sum(), counts[:, i].sum()
        known = np.array([[hit, row - hit], [column - hit, counts.sum() - row - column + hit]])
        seen = np.array([(read == group).sum(), (read != group).sum()], float)
        target = np.array([reference[group], 1 - reference[group]])
        shares = corrected(seen, known, level=1 - 0.05 / len(names), seed=0)
        own = share_findings((group, "all others"), seen, shares, target, corrected=True)[0]
        findings.append(replace(own, name=f"alone.{attribute}.{own.name}"))
    return Report(f"Each {attribute} alone", tuple(findings), (ALONE.format(attribute),))


def _only(report: Report, names: Sequence[str]) -> list[Finding]:
    return [f for f in report.findings if f.name in names]


def unknown_report(drawn: Sequence[Drawn], read: name_judge.Read, attributes: Sequence[str]) -> Report:
    """How often the judge is not sure, of all names and of each country that the model tells; floors on real names."""
    known, findings = name_judge.about(), []
    for a in attributes:
        of, unsure = known["attributes"][a], ~read.sure[a]
        findings.append(_unknown(f"unknown.{a}", unsure, sum(of["unsure"]), np.sum(of["counts"]), a, "the names"))
        for number, country in enumerate(data.COUNTRIES):
            here = np.array([groups.get("country") == country for _, groups in drawn])
            if not here.any():
                continue
            within = known["gender_by_country"][country]
            real = (sum(within["unsure"]), np.sum(within["counts"]))
            if a == "country":
                real = (of["unsure"][number], sum(of["counts"][number]))
            findings.append(_unknown(f"unknown.{a}.{country}", unsure[here], *real, a, f"the names of {country}"))
    return Report("Unknown", tuple(findings), (UNKNOWN,))


def _unknown(name: str, unsure: np.ndarray, real: int, of: int, attribute: str, what: str) -> Finding:
    n, floor = len(unsure), float(real / of)
    value, low, high = map(float, wilson(int(unsure.sum()), n))
    reading = (
        f"Of {int(unsure.sum()):,} of {n:,} among {what} the judge does not know the {attribute}; of held-out names on "
        f"lists {floor:.1%}."
    )
    return Finding(name, value, low, high, n, "share", floor, "", reading)


def asked_finding(attribute: str, group: str, names: Sequence[str]) -> Finding:
    """How often names that were asked for with a group are read as names of it; the floor is the judge's rate on real
    ones, and the verdict compares the two intervals."""
    of, number = name_judge.about()["attributes"][attribute], name_judge.ATTRIBUTES[attribute].index(group)
    hits = int((name_judge.load().read(names).guess[attribute] == number).sum())
    value, low, high = map(float, wilson(hits, len(names)))
    row = of["counts"][number]
    floor, below, above = map(float, wilson(row[number], sum(row)))
    verdict = "worse" if high < below else "better" if low > above else "cannot tell"
    reading = (
        f"{hits:,} of {len(names):,} names that were asked for as {group} are read as {group}; of {sum(row):,} "
        f"held-out names of such lists {floor:.1%} are."
    )
    return Finding(f"asked.{attribute}.{group}", value, low, high, len(names), "share", floor, verdict, reading)


def by_heart(names: Sequence[str]) -> Report:
    """Names that stand in the training lists beside held-out ones, and how much the set repeats itself beside as many
    draws from the lists; without the data set, a sentence that says so."""
    from audits.text.distinctness import distinctness
    from audits.text.memorisation import memorisation

    if not data.at_hand():
        return Report("By heart", (), (NOT_AT_HAND,))
    train, test = data.load("train"), data.load("test")
    names = [name for name in names if name.strip()]
    if not names:
        return Report("By heart", (), ("Every name was empty: nothing can be learnt by heart.",))
    again = np.random.default_rng(0).integers(0, len(train.texts), len(names))
    reports = {
        "memorisation": memorisation(names, train.texts, test.texts),
        "distinctness": distinctness(names, [train.texts[i] for i in again], unit="characters"),
    }
    return Report(
        "By heart",
        tuple(replace(f, name=f"{what}.{f.name}") for what, r in reports.items() for f in r.findings),
        tuple(c for r in reports.values() for c in r.caveats),
    )


# ---- what must be said with it

NOT_AT_HAND = (
    f"Names learnt by heart and repetitions were not measured: they need the data set names, which is not on this "
    f"machine; `{name_judge.COMMAND}` fetches it."
)
ALONE = (
    "alone.{0} takes each {0} against all others, mixed as on the lists, so that its intervals hold (all at once) "
    "where the model keeps to them; {0} supposes no mix, and so often cannot tell."
)
UNKNOWN = "Shares are of best guesses, sure or not: leaving the unsure out would leave out more of some groups."
ASKED = (
    "A name that stands on the lists of several countries can be read as any of them, so that even real names are "
    "often read as others; compare with the floor and not with 100 %.",
)


def caveats(attributes: Sequence[str]) -> tuple[str, ...]:
    """What the judge's own figures mean for an audit."""
    of: dict[str, Any] = name_judge.about()["attributes"]
    told = ", ".join(f"{a} {of[a]['accuracy']['value']:.1%}" for a in attributes)
    seen = ", ".join(f"{a} {of[a]['accuracy_on_seen']['value']:.1%}" for a in attributes)
    return (
        f"Read by a judge of letters that is right about held-out names this often: {told}. Its errors are counted in "
        "as they are there, in every mix of countries.",
        f"Of names it learnt from it is right about more ({seen}): where a model repeats its training list, the "
        "correction goes too far, and what the model tells itself is the better guide.",
    )
