"""Photographs: eleven to learn from, and others that nothing here is ever trained on.

To train on, tiles of 128 pixels from photographs of KDE's plasma-workspace-wallpapers, at three sizes, with drawings
among them (emoji and portraits, the training splits), so that what learns from it knows flat art too. To test on,
squares of 256 pixels from the Lomiri wallpapers, scikit-image and scikit-learn. Split by photograph, never by tile.
"""

import functools
from pathlib import Path

import numpy as np

from genlab.data import Data
from genlab.data.fetch import debian_package, obtain

SIDE, SIZES = 128, (256, 384, 640)  # of a tile; shorter sides a photograph is reduced to before it is cut
TILES_OF_DRAWINGS = 160
PLASMA = "plasma-workspace-wallpapers"
TRAINED = {  # name: sha256 of its 2560x1600 file
    "BytheWater": "c272434ef39f2abf1ed48a15a8910088020f3165329a5092f3940ec9464bc05f",
    "ColdRipple": "05bef6722fc0ed81292cceb3ed026c38d17e510f3c84be7d68610c2b1a723c3f",
    "ColorfulCups": "6e0f3a72feb5a4a9fec191b77e34874c3c69e2d93040deb3f07773e73385023d",
    "DarkestHour": "8e3703fae3a3c217b1fc2b399b706cd3720584268d071ba153e4809daa55f1ce",
    "EveningGlow": "586682dcb362b9f620068f10138f87d0d3649939aef238adc5807cb951976a7a",
    "FallenLeaf": "95603a6560c7e8d50e0e03b3f4adbe39c5258c72528e74e4ecaea1daf4e499de",
    "Grey": "88c31d8944b7e6935d1b9a296654c692f0772cb512491713eb30a972a604c0ed",
    "Kite": "bdca288ce296a981e80659c021cf707caddc702c0c8d4247e60bd618476d47f8",
    "OneStandsOut": "cb507baf1dafdcae362264f3aba9483ed4be5f6c9fdd770f0ec0920c6d9e80fd",
    "Path": "7477457d7f17b736259f1b021864778ad4ba802cf3214e6728181ff29126bba8",
    "summer_1am": "c868b50789591dd42910153c768053f1ba0a98cb36bbfc2b7a96a1045d0477f8",
}
LOMIRI = {  # package: file: sha256
    "lomiri-wallpapers-16.04": {
        "Bridge_by_Sander_Klootwijk.jpg": "bd86b081f9975e2b83527f71e49b9271a8ab40885428395969d9f7d834d7f050",
        "Dragonfly_by_Bolly.jpg": "af5af17841009732def24b09bb1e669a1b09d2b4bdeee7812c371101c30d2bb3",
        "Picture_0B_by_freespace.jpg": "c8c0ab18e48d9e0419fe42881112137f3afafc27dfddc29ec3a6d54c56d225ad",
        "Picture_1A_by_freespace.jpg": "89e86af38d04daaef975665dc2127e9fa76f0fd68f4eea105a2d0ae3390b010b",
        "Wine_by_Jakkub_Mede.jpg": "d2e96e6d4da40dd804b3d0ce295e94de04a2d7d9b6785d42cd9d92ba58bced74",
        "aitzgorri_by_Aitzol_Berasategi.jpg": "66268e7b48f8854d36a28765fac6e23ec1aee251daa6da1f64715f201020ad36",
        "analogpattern_by_Peter_Nerlich.jpg": "15372488a192b2be2eafc67bd3ed31cbfca19abe3929e925607fcbc9cb4d4202",
        "free_by_Peter_Nerlich.jpg": "85a5453c2fed514c75973016f3d862aca62eb7ca087618822469274ac1092373",
        "friends_by_Aitzol_Berasategi.jpg": "cc40e313c74e421edffe3403def413c16878ce14661cce7ec5915baeab35538d",
        "greentock_by_Peter_Nerlich.jpg": "e7b20e2db9dcd6e2b278ca55873c2110b35d89cd38b04d0b18728726888e6889",
        "life_by_Aitzol_Berasategi.jpg": "4c119350ead80201fe256850c3d316309ddfb4bdf10b235ce982dcde0c667c05",
        "picosdeeuropa_by_Aitzol_Berasategi.jpg": "414d0072b2f6f2c555deafeaef6e45c4fed6fa9ad26eba6560ca8803959cf97a",
        "seeding_by_Clements_Engelhardt.jpg": "a5634d1ab5e41a3568e92d4a894a500c92b891f9ff734e50bd224d6e185a605f",
        "sunset_by_Aitzol_Berasategi.jpg": "474dab6a4b9f94dc76c29dfe30e9f5db4af0fd2e33fe5d695f8152b371efca18",
    },
    "lomiri-wallpapers-20.04": {
        "Infinite-Sea_by_Aury88.jpg": "9319dfb3651833881339a8d9b769b99efaf474969e6cd58e427eb2524aca8e8a",
        "Kleiber_by_Lukas_Baubkus.jpg": "6572410c09f4492c74ccadde133565a14c0161617d5917d4c820c66d65a44ba7",
    },
}
SKIMAGE = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png", "gravel.png",
    "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip
SKLEARN = ("china.jpg", "flower.jpg")
LICENCE = "LGPL-3.0 AND Apache-2.0 AND CC0-1.0"
TEST_LICENCE = "CC-BY-4.0 AND CC-BY-SA-4.0 AND CC-BY-SA-3.0 AND CC0-1.0 AND BSD-3-Clause"
ATTRIBUTION = (
    "Photographs of KDE's plasma-workspace-wallpapers, https://invent.kde.org/plasma/plasma-workspace-wallpapers; "
    "Noto Emoji, (c) Google LLC; Open Peeps by Pablo Stanley"
)
TEST_ATTRIBUTION = (
    "Lomiri wallpapers by the people their file names name, https://gitlab.com/ubports; sample pictures of "
    "scikit-image and scikit-learn, whose packages name their sources"
)
CAVEATS = ("Eleven photographs: landscapes, things and textures, no faces; enough for filters, not for semantics.",)
NAMES = ("photograph", "drawing")


def _from_plasma(folder: Path) -> None:
    files = {f"{name}.jpg": f"{name}/contents/images/2560x1600.jpg" for name in TRAINED}
    debian_package(PLASMA, folder, inside="usr/share/wallpapers", files=files)


def _from_lomiri(package: str, folder: Path) -> None:
    debian_package(package, folder, inside="usr/share/backgrounds")


@functools.cache
def load(split: str) -> Data:
    """Tiles to train on, uint8 (n, 3, 128, 128), or squares to test on, (n, 3, 256, 256).

    Labels say photograph or drawing; test items are all photographs.
    """
    if split == "test":
        items = np.stack([square for _, square in test_pictures(256)]).transpose(0, 3, 1, 2)
        labels = np.zeros(len(items), np.int64)
        return Data("photographs", split, items, labels, NAMES, TEST_LICENCE, TEST_ATTRIBUTION, CAVEATS)
    folder = obtain_trained()
    photographs = [tile for name in TRAINED for tile in tiles(folder / f"{name}.jpg")]
    drawn = drawings()
    items = np.stack(photographs + drawn).transpose(0, 3, 1, 2)
    labels = np.repeat([0, 1], [len(photographs), len(drawn)])
    return Data("photographs", split, items, labels, NAMES, LICENCE, ATTRIBUTION, CAVEATS)


def obtain_trained() -> Path:
    """The folder with the photographs to train on, `NAME.jpg` each."""
    hashes = {f"{name}.jpg": digest for name, digest in TRAINED.items()}
    return obtain(PLASMA, hashes, places=[], sources=[_from_plasma])


def tiles(path: Path, *, side: int = SIDE, sizes: tuple[int, ...] = SIZES) -> list[np.ndarray]:
    """A photograph, reduced so that its shorter side is each of `sizes`, in squares of `side` that do not overlap."""
    from PIL import Image

    found = []
    with Image.open(path, formats=["JPEG"]) as image:
        whole = image.convert("RGB")
    for size in sizes:
        scale = size / min(whole.size)
        pixels = np.asarray(whole.resize([round(side * scale) for side in whole.size], Image.Resampling.LANCZOS))
        for top in range(0, pixels.shape[0] - side + 1, side):
            for left in range(0, pixels.shape[1] - side + 1, side):
                found.append(pixels[top : top + side, left : left + side])
    return found


def drawings() -> list[np.ndarray]:
    """Emoji and portraits of the training splits, every pixel doubled or the drawing enlarged smoothly, in turn."""
    from PIL import Image

    from genlab.data import load as load_any

    found = []
    for name in ("professions", "portraits-balanced"):
        items = load_any(name, "train").items
        for i in range(TILES_OF_DRAWINGS // 2):
            pixels = items[i * len(items) // (TILES_OF_DRAWINGS // 2)].transpose(1, 2, 0)
            way = Image.Resampling.NEAREST if i % 2 else Image.Resampling.BICUBIC
            found.append(np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), way)))
    return found


def test_pictures(side: int) -> list[tuple[str, np.ndarray]]:
    """50 squares of `side` pixels nobody trains on, uint8 (side, side, 3), with names that say where they are cut."""
    return squares(test_files(), side, 50)


def squares(paths: list[Path], side: int, count: int) -> list[tuple[str, np.ndarray]]:
    """So many squares of photographs, uint8 (side, side, 3), with names that say where they are cut.

    The middle square of each photograph, then squares of 512 pixels or more from the large ones.
    """
    from PIL import Image

    found, large = [], []
    for path in paths:
        with Image.open(path, formats=["JPEG", "PNG"]) as image:
            whole = image.convert("RGB")
        if max(whole.size) > 4000:
            whole.thumbnail((2400, 2400), Image.Resampling.LANCZOS)
        width, height = whole.size
        short = min(width, height)
        if short >= 600:
            large.append((path.name, whole))
        found.append((path.name, _square(whole, (width - short) // 2, (height - short) // 2, short, side)))
    rng = np.random.default_rng(0)
    for i in range(count - len(found)):
        name, whole = large[i % len(large)]
        width, height = whole.size
        cut = int(rng.integers(512, min(width, height) + 1))
        left, top = int(rng.integers(0, width - cut + 1)), int(rng.integers(0, height - cut + 1))
        found.append((f"{name} at {left}, {top}, side {cut}", _square(whole, left, top, cut, side)))
    return found


def _square(whole, left: int, top: int, cut: int, side: int) -> np.ndarray:
    from PIL import Image

    part = whole.crop((left, top, left + cut, top + cut))
    return np.asarray(part.resize((side, side), Image.Resampling.LANCZOS))


def test_files() -> list[Path]:
    """The photographs nobody trains on, whole."""
    import skimage
    import sklearn.datasets

    places = [
        obtain(package, files, places=[], sources=[functools.partial(_from_lomiri, package)]) / file
        for package, files in LOMIRI.items()
        for file in files
    ]
    places += [Path(skimage.__file__).parent / "data" / file for file in SKIMAGE]
    return places + [Path(sklearn.datasets.__file__).parent / "images" / file for file in SKLEARN]
