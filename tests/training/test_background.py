"""Crops without a face, and telling them from faces."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch.testing import assert_close

from pfld import build_network
from pfld.training import background
from pfld.training.background import fit_no_face_, no_faces
from pfld.training.config import TrainingConfig
from pfld.training.faces import training_faces
from pfld.training.trainer import Trainer
from support.training import SMALL_CONFIG

PIXELS = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))


def network_with_head():
    torch.manual_seed(0)
    return build_network(
        "ghostone", head="heatmap", width_multiplier=0.25, num_conv_branches=1, input_size=96
    ).eval()


@pytest.fixture(scope="module")
def trainer():
    config = TrainingConfig(**SMALL_CONFIG | {"head": "heatmap", "synthetic_faces": 400})
    return Trainer(config, training_faces(config, print), Accelerator(cpu=True))


def test_crops_without_a_face_are_pictures_that_differ_from_their_faces():
    rng = np.random.default_rng(0)
    crops = torch.from_numpy(rng.integers(0, 256, (10, 160, 160, 3), dtype=np.uint8))
    made = no_faces(crops, np.random.default_rng(1), 96)
    assert made.shape == (10, 3, 96, 96) and made.dtype == torch.float32
    assert 0 <= made.min() and made.max() <= 1
    assert_close(made, no_faces(crops, np.random.default_rng(1), 96), rtol=0, atol=0)
    assert len({tuple(face.flatten()[:50].tolist()) for face in made}) == 10


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_no_part_of_a_shuffled_face_stays_in_its_place(parts, monkeypatch):
    tiles = torch.arange(parts**2, dtype=torch.float32).view(1, parts, 1, parts, 1) / parts**2
    face = tiles.expand(3, parts, 24, parts, 24).reshape(3, 24 * parts, 24 * parts)
    monkeypatch.setattr(background, "_cut", lambda face, *_: face[None])

    class Rng:
        integers = staticmethod(lambda low, high: parts)
        uniform = staticmethod(lambda low, high: 1.0)
        permutation = staticmethod(np.random.default_rng(parts).permutation)

    shuffled = background._shuffled(face, Rng(), 24 * parts)[0]
    assert not (shuffled == face).any()
    assert sorted(shuffled.unique().tolist()) == sorted(face.unique().tolist())


def lightness_and_detail(network, images):
    """Features that tell drawn faces from other crops: means and deviations of 8 x 8 parts."""
    parts = images.mean(1).unflatten(1, (8, 12)).unflatten(3, (8, 12)).permute(0, 1, 3, 2, 4)
    return torch.cat([parts.mean((3, 4)).flatten(1), parts.std((3, 4)).flatten(1)], 1)


def test_the_head_learns_which_crops_show_no_face(trainer, monkeypatch):
    head = trainer.averaged_network.head
    assert head.no_face.in_features == 128 and torch.sigmoid(head.no_face.bias).item() < 1e-8
    monkeypatch.setattr(background, "_features", lightness_and_detail)
    right = fit_no_face_(
        trainer.averaged_network, trainer.face_set, trainer.faces, trainer.training
    )
    assert right > 0.8
    images, *_ = trainer.faces.batch(trainer.validation)
    stored = torch.from_numpy(np.ascontiguousarray(trainer.face_set.crops[trainer.validation]))
    nothing = no_faces(stored, np.random.default_rng(5), 96)
    for crops, expected in ((images, False), (nothing, True)):
        logits = head.no_face(lightness_and_detail(None, trainer.faces.normalized(crops)))
        assert ((logits > 0) == expected).double().mean() > 0.75


def test_points_are_unsure_where_there_is_no_face():
    network = network_with_head()
    with torch.no_grad():
        before = network.locate(PIXELS)[0].uncertainty
        network.head.no_face.bias.fill_(20.0)
        after = network.locate(PIXELS)[0].uncertainty
    assert_close(after, (before.square() + 0.25**2).sqrt())


def test_a_classifier_learns_a_line():
    features = torch.randn(2, 400, 5, dtype=torch.float64)
    features[1, :, 2] += 4
    weight, bias = background._logistic_regression(features * 3 + 1)
    logits = (features * 3 + 1) @ weight + bias
    assert (logits[0] < 0).double().mean() > 0.95 and (logits[1] > 0).double().mean() > 0.95
    assert weight.abs().argmax() == 2
