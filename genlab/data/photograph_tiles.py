"""Tiles to train a codec on: 23 photographs at four sizes, cut into squares, with drawings among them.

The eleven photographs of plasma-workspace-wallpapers and twelve of mate-backgrounds, which train the codec only. To
test on, the pictures of `genlab/data/photographs.py`; split by photograph, never by tile.
"""

import functools
from pathlib import Path

import numpy as np

from genlab.data import Data, photographs
from genlab.data.fetch import debian_package, obtain

SIDE, SIZES = 160, (320, 480, 800, 1200)  # of a tile; shorter sides a photograph is reduced to before it is cut
MATE = "mate-backgrounds"
TRAINED = {  # file: sha256; the other pictures of the package are renders and vector art
    "Aqua.jpg": "5c30118205982da441bf7e6a1ada636a8a0be879408140b3148280c665ed6bce",
    "Blinds.jpg": "f7aac0dcc2e06d0491643e84df3da1d9db7c4610f58806a880d56e074799f600",
    "Dune.jpg": "8a67c2cb0be8c46b70c237311a4fa4d2b4ac7d39568135384787801fa5cc9a91",
    "FreshFlower.jpg": "972b0a0c4e5e3fa93f4f244fc84bc64b121a5eac3aaa5856f1308c1f38a02f8e",
    "Garden.jpg": "d3095ee09d425ef23d27155412136cf14fc3c9af76ca58b452f55e23da324e78",
    "GreenMeadow.jpg": "8fa0de0aa4089f7319c9fb7a6d006d4cab6023e8c8853731557cff53567b4832",
    "LadyBird.jpg": "e35a9a4126ef969c90b29c038058c5a575a20eadd84106a37bf1fa9931e7b61d",
    "RainDrops.jpg": "3e4ea9671c28c90a86cf67b3db9daf18c4741587c596333a7529ca589aaa0c16",
    "Storm.jpg": "77ca53077831d3237f73393a91fc879158abc046d852941c26e90de336356957",
    "TwoWings.jpg": "665e5abf8a5399070a91a9a8e455fe071e5b61697ff78fdeda4e9843ef545aeb",
    "Wood.jpg": "19c78500ac00a622e19907ab9cc7d06d46fe08c4a6142759a84195696150ec07",
    "YellowFlower.jpg": "254da96256acb7add685679775a04d1e4a5bc8cd13e5a5a3d61351ce198a5306",
}
LICENCE = "LGPL-3.0 AND GPL-2.0-or-later AND Apache-2.0 AND CC0-1.0"
ATTRIBUTION = (
    f"{photographs.ATTRIBUTION}; photographs of mate-backgrounds by Charles Barbin, Lennart Poettering, Marco Cogoni, "
    "Jens Ansorg, Timothy Schellhase and others its AUTHORS file names, https://git.mate-desktop.org/mate-backgrounds"
)
CAVEATS = ("23 photographs: landscapes, plants, things and textures, no faces.",)


def _from_mate(folder: Path) -> None:
    debian_package(MATE, folder, inside="usr/share/backgrounds/mate/nature")


@functools.cache
def load(split: str) -> Data:
    """Tiles to train on, uint8 (n, 3, 160, 160); to test on, squares of `photographs`, (n, 3, 256, 256)."""
    if split == "test":
        return photographs.load("test")
    plasma = photographs.obtain_trained()
    paths = [plasma / f"{name}.jpg" for name in photographs.TRAINED] + mate_files()
    tiles = [tile for path in paths for tile in photographs.tiles(path, side=SIDE, sizes=SIZES)]
    edge = (SIDE - photographs.SIDE) // 2
    drawings = [np.pad(d, ((edge, edge), (edge, edge), (0, 0)), mode="edge") for d in photographs.drawings()]
    items = np.stack(tiles + drawings).transpose(0, 3, 1, 2)
    labels = np.repeat([0, 1], [len(tiles), len(drawings)])
    return Data("photograph-tiles", split, items, labels, photographs.NAMES, LICENCE, ATTRIBUTION, CAVEATS)


def mate_files() -> list[Path]:
    """The photographs of mate-backgrounds, which train the codec and nothing else: others may test on them."""
    mate = obtain(MATE, TRAINED, places=[], sources=[_from_mate])
    return [mate / name for name in TRAINED]
