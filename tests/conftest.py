"""Fixtures that tests of several folders share."""

import os

# Before PyTorch and OpenMP are loaded: tests run in a process for each core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from pfld import read_picture
from pfld.data.wflw_writer import write_wflw_layout
from pfld.synthetic.faces import synthetic_faces
from support.paths import PORTRAIT


@pytest.fixture(scope="session")
def portrait():
    """The public-domain portrait, ``(H, W, 3)`` uint8 RGB; nobody may write into it."""
    image = read_picture(PORTRAIT)
    image.flags.writeable = False
    return image


@pytest.fixture
def models(monkeypatch, tmp_path):
    """The app's models, with a network that finds an average face in any crop."""
    from support.fake_models import fake_models

    folder = tmp_path / "models"
    folder.mkdir()
    return fake_models(monkeypatch, folder)


@pytest.fixture
def upload(tmp_path):
    """The path of the portrait as a file that a visitor sent."""
    path = tmp_path / "a.jpg"
    path.write_bytes(PORTRAIT.read_bytes())
    return str(path)


@pytest.fixture
def wflw(tmp_path):
    """A data set of six synthetic training faces in WFLW's layout."""
    folder = tmp_path / "wflw"
    write_wflw_layout(synthetic_faces(6, size=160), folder, split="train")
    return folder
