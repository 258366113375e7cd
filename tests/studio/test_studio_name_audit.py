"""Audits of language models on writers whose shares and preferences are known, and a judge whose errors are."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from audits.text.templates import sets
from genlab.__main__ import main
from genlab.data.names import COUNTRIES, GENDERS
from genlab.metrics import name_judge
from genlab.studio import bias_audit, collect, name_audit, pair_audit, shelf
from genlab.studio.bias_audit import Asked
from genlab.studio.shelf import Entry, StudioError

FEMALE, RECALL = 0.8, {"female": 0.75, "male": 0.9}  # what the writer does, and how often the judge is right
CONTROLS = {"country": COUNTRIES, "gender": GENDERS}
SPECIAL = ("<end>", "<pad>", "<any>", *(f"<{a}: {g}>" for a, groups in CONTROLS.items() for g in groups))


class Writer:
    """Draws a country (half of the names are of Iceland), then a gender, then a name that spells both and a number."""

    special, device = SPECIAL, "cpu"

    def asked(self, **groups):
        return [0, *(SPECIAL.index(f"<{a}: {groups[a]}>") if a in groups else 2 for a in CONTROLS)]

    def write(self, prompt, seeds, *, most):
        dice = seeds.rand(3).numpy()
        country = np.where(dice[:, 0] < 0.5, 3 + COUNTRIES.index("Iceland"), 3 + (dice[:, 0] * 40).astype(int) % 20)
        gender = np.where(dice[:, 1] < FEMALE, 23, 24)
        for place, drawn in ((1, country), (2, gender)):
            if len(prompt) <= place:
                yield SimpleNamespace(tokens=tuple(map(int, drawn)))
        known = [2, 2] if len(prompt) < 3 else prompt[1:]
        country = country if known[0] == 2 else np.full(len(seeds), known[0])
        gender = gender if known[1] == 2 else np.full(len(seeds), known[1])
        number = (dice[:, 2] * 10**6).astype(int)
        yield SimpleNamespace(tokens=tuple(map(int, 10**9 + number * 10**4 + country * 100 + gender)))
        yield SimpleNamespace(tokens=(0,) * len(seeds))

    def text_of(self, tokens):
        return "".join(str(token) for token in tokens if token >= len(SPECIAL))


class Judge:
    """Reads what the name spells, and errs about gender at a known rate, by the name's number."""

    def read(self, names):
        told = np.array([int(name) for name in names])
        country, gender = told // 100 % 100 - 3, told % 100 - 23
        dice = np.random.default_rng(0).permutation(10**6)[told // 10**4 % 10**6] / 10**6
        wrong = dice >= np.where(gender == 0, RECALL["female"], RECALL["male"])
        sure = {"country": np.ones(len(names), bool), "gender": ~wrong}
        return name_judge.Read({"country": country, "gender": np.where(wrong, 1 - gender, gender)}, sure)


def counts_of(rates, items=4000):
    return np.rint(np.array(rates) * items).astype(int).tolist()


ERRORS = {
    "trained_on": [[50, 50]] * 20,
    "attributes": {
        "country": {"names": list(COUNTRIES), "counts": (200 * np.eye(20, dtype=int)).tolist(), "unsure": [0] * 20},
        "gender": {"names": list(GENDERS), "counts": counts_of([[0.75, 0.25], [0.1, 0.9]]), "unsure": [1000, 400]},
    },
    "gender_by_country": {c: {"counts": [[75, 25], [10, 90]], "unsure": [25, 10]} for c in COUNTRIES},
}
for table in ERRORS["attributes"].values():
    table |= {"accuracy": {"value": 0.8}, "accuracy_on_seen": {"value": 0.9}}


def put(monkeypatch):
    """The writer and the judge in the place of real ones."""
    entry = Entry("gpt-fake", "0" * 64, "gpt", "names", (16,), ("write",), (), (), 0, tuple(CONTROLS.items()))
    network = Writer()
    monkeypatch.setattr(shelf, "entry", lambda name: entry)
    monkeypatch.setattr(shelf, "model", lambda name: network)
    monkeypatch.setattr(name_judge, "load", Judge)
    monkeypatch.setattr(name_judge, "about", lambda: ERRORS)
    monkeypatch.setattr(name_audit.data, "at_hand", lambda: False)
    return network


@pytest.fixture
def writer(monkeypatch):
    return put(monkeypatch)


@pytest.fixture(scope="module")
def found():
    """A thousand names, gathered once."""
    with pytest.MonkeyPatch.context() as patch:
        put(patch)
        collected, steps = finished(collect.from_model("gpt-fake", count=1000, seed=0, columns=["country", "gender"]))
    assert steps[0].total == 1000
    return collected


def finished(work):
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as done:
            return done.value, steps


def test_both_ways_of_telling_find_the_true_shares(writer, found):
    audited = bias_audit.audit(found, Asked(("country", "gender"), "training data"))
    report = audited.report
    read, told = report["gender.share.female"], report["told.gender.share.female"]
    assert read.low < FEMALE < read.high
    assert told.low < FEMALE < told.high
    assert read.n / 1000 < read.low  # what the judge says by itself is off, and would be believed
    assert read.floor == told.floor == 0.5
    assert read.verdict == told.verdict == "worse"
    iceland = 0.5 + 0.5 / 20
    assert report["told.country.share.Iceland"].low < iceland < report["told.country.share.Iceland"].high
    assert report["country.share.Iceland"].low < iceland < report["country.share.Iceland"].high
    assert report["alone.country.share.Iceland"].low < iceland < report["alone.country.share.Iceland"].high
    assert len(audited.by_column["alone.country"]) == 20
    assert report["gender.to uniform.test.reference"].verdict == "worse"
    assert report["told.country -> gender.amplification"].n == 1000
    assert [f.name for f in audited.by_column["told.gender"]] == list(GENDERS)
    assert any(words.startswith("told.gender: female") for words in audited.headlines)


def test_names_that_were_asked_for_are_read_at_the_rate_of_the_judge(found):
    female, iceland = found.further["asked.gender.female"], found.further["asked.country.Iceland"]
    assert female.floor == RECALL["female"]
    assert female.low < RECALL["female"] < female.high
    assert female.verdict == "cannot tell"
    assert (iceland.value, iceland.verdict) == (1, "cannot tell")
    unknown = found.further["unknown.gender"]
    wrong = FEMALE * 0.25 + (1 - FEMALE) * 0.1
    assert unknown.low < wrong < unknown.high
    assert unknown.floor == pytest.approx(0.175)
    assert found.further["unknown.country.Iceland"].value == 0
    assert name_audit.NOT_AT_HAND in found.further.caveats


def test_a_writer_that_ignores_what_it_is_asked_for_is_found(writer, monkeypatch):
    monkeypatch.setattr(Writer, "asked", lambda self, **groups: [0, 3, 24])  # always a man of the first country
    for attribute, group in (("gender", "female"), ("country", "Iceland")):
        drawn = [text for some in name_audit.draw(writer, {attribute: group}, 40, 5) for text, _ in some]
        assert name_audit.asked_finding(attribute, group, drawn).verdict == "worse"


def test_of_groups_that_nobody_tells_apart_nothing_is_said(writer, found):
    errors = found.validation["gender"].assign(predicted="male")
    blind = bias_audit.audit(replace(found, validation={"gender": errors}), Asked(("gender",), "training data"))
    assert [(f.low, f.high) for f in blind.by_column["gender"]] == [(0, 1)] * 2
    assert blind.headlines[0].startswith("gender: some of these groups cannot be told apart")


def test_an_item_is_its_seeds(writer):
    whole = [one for some in name_audit.draw(writer, {}, 40, 7) for one in some]
    (part,) = next(name_audit.draw(writer, {}, 1, 30))
    assert whole[23] == part
    asked = next(name_audit.draw(writer, {"gender": "male"}, 3, 0))
    assert all(groups == {"gender": "male"} for _, groups in asked)


def test_lists_at_hand_are_compared(writer, monkeypatch):
    train, test = (SimpleNamespace(texts=tuple(f"{s}{i}" for i in range(900))) for s in ("Anna", "Otto"))
    monkeypatch.setattr(name_audit.data, "at_hand", lambda: True)
    monkeypatch.setattr(name_audit.data, "load", lambda split: train if split == "train" else test)
    report = name_audit.by_heart([*train.texts[:300], *test.texts[:20], "Bob"])
    assert report["memorisation.ratio.items"].verdict == "worse"  # a planted memoriser
    assert report["distinctness.repeated"].value == 0


def test_what_cannot_be_read_is_said(writer):
    with pytest.raises(StudioError, match="reads country, gender"):
        finished(collect.from_model("gpt-fake", count=40, seed=0, columns=["tone"]))
    with pytest.raises(StudioError, match="whole number"):
        finished(collect.from_model("gpt-fake", count=4, seed=0, columns=["gender"]))


def test_the_command_audits_names_without_telling_any(writer, tmp_path, capsys):
    out = tmp_path / "names"
    assert main(["audit", "gpt-fake", "--groups", "gender,country", "--count", "60", "--out", str(out)]) == 0
    assert (out / "items.csv").read_text().splitlines()[0] == "item,country,gender"
    assert "report.pdf" in {path.name for path in out.iterdir()}
    assert "told.country -> gender.amplification" in capsys.readouterr().out


# ---- pairs of sentences


class Reader:
    """Finds men more probable beside any trade that old books give them, and is even about everything else."""

    def __init__(self, kind):
        pairs = sets()
        self.nats = {}
        for i, pair in enumerate(pairs):
            planted = pair.set == "gender-occupation"
            self.nats[pair.first], self.nats[pair.second] = (4.0, 6.0) if planted or i % 2 else (6.0, 4.0)
        self.sentences = list(self.nats)
        setattr(self, kind, lambda tokens: np.array([self.nats[self.sentences[tokens[0]]] / 2] * 2))

    def tokens_of(self, text):
        return [self.sentences.index(text), 0]


@pytest.fixture(params=["code_lengths", "pseudo_code_lengths"])
def reader(request, monkeypatch):
    able = "fill" if request.param.startswith("pseudo") else "write"
    entry = Entry("reader", "0" * 64, "gpt", "stories", (16,), (able,), (), (), 0)
    network = Reader(request.param)
    monkeypatch.setattr(shelf, "entry", lambda name: entry)
    monkeypatch.setattr(shelf, "model", lambda name: network)


def test_a_planted_preference_is_found_and_no_other(reader):
    found, steps = finished(collect.from_model("reader", count=None, seed=None, columns=[]))
    assert steps[-1].done == steps[-1].total == 200
    audited = bias_audit.audit(found, Asked(()))
    assert audited.report["share.gender-occupation"].value == 1
    assert audited.report["difference.gender-occupation"].value == 2
    assert audited.report["tie.gender-occupation"].verdict == "worse"
    off = [f.name for f in audited.report.findings if f.verdict == "worse"]
    assert off == ["share.gender-occupation", "test.gender-occupation", "tie.gender-occupation"]
    assert len(audited.by_column["first sentence preferred"]) == 5
    assert audited.headlines[0].startswith("The first sentence")


def test_the_command_scores_pairs_and_takes_no_groups(reader, tmp_path, capsys):
    out = tmp_path / "pairs"
    assert main(["audit", "reader", "--out", str(out)]) == 0
    assert len((out / "pairs.csv").read_text().splitlines()) == 201
    assert main(["audit", "reader", "--groups", "tone", "--out", str(tmp_path / "b")]) == 2
    assert "pairs of sentences" in capsys.readouterr().err


def test_a_model_that_reads_nothing_is_named(reader, monkeypatch):
    monkeypatch.setattr(Reader, "tokens_of", lambda self, text: [])
    with pytest.raises(StudioError, match="no token"):
        finished(pair_audit.pair_table("reader"))
