"""Controls that take on whatever knobs a model has."""

from genlab.studio.shelf import Entry, KnobSpec
from genlab.tabs import knobs

STEPS = KnobSpec("steps", 10.0, 1.0, 100.0, "How many.", ())
SOLVER = KnobSpec("solver", "curve", None, None, "Which.", ("curve", "line"))
ENTRY = Entry("a", "0", "diffusion", "fashion", (1, 28, 28), ("generate",), (), (STEPS, SOLVER), 0)


def test_sliders_come_before_choices_and_empty_controls_are_left_out():
    assert knobs.names(ENTRY) == ["steps", None, None, None, "solver", None]
    assert knobs.values(ENTRY, (20, 0, 0, 0, "line", None)) == {"steps": 20, "solver": "line"}
    assert knobs.values(ENTRY, (20, 0, 0, 0, None, None)) == {"steps": 20}


def test_only_what_was_changed_is_told():
    assert knobs.changed(ENTRY, {"steps": 10.0, "solver": "line"}) == {"solver": "line"}
