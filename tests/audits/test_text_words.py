"""The filter: listed words are masked in their disguises, innocent words that hold them are not."""

import codecs
import re
import subprocess
import sys
from pathlib import Path

import pytest

from audits.text import words
from audits.text.words import LISTED, MASK, digest, hidden, read_hashes

OWN = frozenset({digest("blarg"), digest("snirky"), digest("Fitch"), digest("zoot")})


@pytest.mark.parametrize(
    "word",
    ["blarg", "BLARG", "Blargs", "bl4rg", "B1arg", "bl@rg", "8larg", "blárg", "bla\u0301rg", "bl\u00adarg",
     "bla\u200brg", "blaaaarg", "blarggg", "ｂｌａｒｇ", "blargz", "snirky", "snirkies", "sn!rky", "$nirky", "5n1rky",
     "fitches", "fitch", "zoooot"],
)  # fmt: skip
def test_a_listed_word_is_masked_in_its_disguises(word):
    assert hidden(f"He said {word}, and left.", more=OWN) == (f"He said {MASK}, and left.", 1)
    assert hidden(f"He said {word}, and left.") == (f"He said {word}, and left.", 0)


def test_what_stands_around_a_word_stays():
    text = "Blarg! (blarg) my_blarg blarg's \u201cblarg\u201d half-blarg $blarg$"
    expected = f"{MASK}! ({MASK}) my_{MASK} {MASK}'s \u201c{MASK}\u201d half-{MASK} ${MASK}$"
    assert hidden(text, more=OWN) == (expected, 7)
    assert hidden("$nirky!", more=OWN) == (f"{MASK}!", 1)
    assert hidden("", more=OWN) == ("", 0)


@pytest.mark.parametrize(
    "word", ["blargo", "unblarg", "bla rg", "b.l.a.r.g", "blrg", "bl", "81425", "snirk", "fit", "itch", "", "!!!"]
)
def test_a_word_that_only_holds_a_listed_one_or_is_near_it_stays(word):
    assert hidden(word, more=OWN) == (word, 0)


INNOCENT = """
Scunthorpe, Penistone, Essex, Lightwater, Clitheroe and Cockermouth; Dickens, Moby Dick, a niggardly snigger, raccoon,
cocoon and tycoon, spicy spices, spick and span, Japan, Pakistan, assassin, cockpit, classic, Shylock, a nip of rum,
a faded flag, Sambucus nigra, Hebe, the ABO groups, wagons, wigs, bog, gawk, Kiel, yield, dung, guns and counts, cons,
1066, $100, 50%, a@b.example, squash, kit, hike, pike, Mick, homo sapiens, crackers, Kafka, kefir, swap, dogs.
"""
HARMLESS_ONCE = "puvax qlxr dhrre tlcfl cbynpx ergneq fynir pevccyr onfgneq"  # common in old books, and so not listed


def test_innocent_words_stay():
    for text in (INNOCENT, codecs.decode(HARMLESS_ONCE, "rot13")):
        assert hidden(text) == (text, 0)


@pytest.mark.parametrize("word", "avttre xvxr fcvp snttbg tbbx genaal jrgonpx cnxv phag enturnq".split())  # noqa: SIM905
def test_the_shipped_list_holds_what_it_should(word):
    """Written in rot13, so that no slur stands here in clear."""
    clear = codecs.decode(word, "rot13")
    for form in (clear, clear.upper(), clear + "s", clear.replace("i", "1").replace("a", "@")):
        assert hidden(f"a {form}.") == (f"a {MASK}.", 1)


def test_the_list_is_hashes_and_nothing_else():
    assert 30 <= len(LISTED) <= 60
    assert all(re.fullmatch(r"[0-9a-f]{16}", found) for found in LISTED)


def test_a_list_of_one_s_own_is_made_by_the_documented_line(tmp_path):
    line = re.search(r'python -c "(.+)" >> words\.txt', words.__doc__)[1]
    root = Path(__file__).parents[2]
    light = f"{line}; import sys; sys.exit('numpy' in sys.modules)"
    command = [sys.executable, "-X", "utf8", "-c", light]
    made = subprocess.run(command, input="Blárg\n", capture_output=True, encoding="utf-8", cwd=root, check=True)
    (tmp_path / "words.txt").write_text(made.stdout + "\n")
    more = read_hashes(tmp_path / "words.txt")
    assert more == {digest("blarg")}
    assert hidden("blargs", more=more).count == 1
    (tmp_path / "words.txt").write_text(made.stdout + "blarg\n")
    with pytest.raises(ValueError, match=r"Line 2 of words\.txt is no hash"):
        read_hashes(tmp_path / "words.txt")
