"""The little model that the codec's tests share."""

import pytest
from little_vae import vae

from genlab.codec.lossless import Learned


@pytest.fixture(scope="session")
def model():
    return vae()


@pytest.fixture(scope="session")
def learned(model):
    return Learned("vae-little", "ab" * 32, model)
