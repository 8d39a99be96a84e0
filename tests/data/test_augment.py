"""Augmentation: points follow pixels, draws follow seeds."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pfld.data.augment import AugmentationConfig, augment, draw_augmentation, no_augmentation
from pfld.data.degrade import add_noise, blur, compress, lower_resolution, occlude, truncate
from pfld.geometry import FaceCrop
from pfld.landmarks import WFLW_98
from pfld.synthetic.faces import synthetic_faces

OPTIONS = {"size": 112, "crop_scale": 1.2, "scheme": WFLW_98}


def faces(count):
    drawn = synthetic_faces(count, size=160, seed=1)
    return torch.from_numpy(drawn.crops), torch.from_numpy(drawn.landmarks)


def draw(count, seed=0, strength=1.0, **config):
    generator = torch.Generator().manual_seed(seed)
    return draw_augmentation(count, generator, AugmentationConfig(**config), strength=strength)


def test_unaugmented_crops_are_those_of_evaluation():
    crops, landmarks = faces(4)
    images, points = augment(crops, landmarks, no_augmentation(4), **OPTIONS)
    for index in range(4):
        face_px = landmarks[index].numpy() * 160
        crop = FaceCrop.around(face_px, scale=1.2)
        assert_close(points[index], torch.from_numpy(crop.to_crop(face_px)), atol=1e-5, rtol=0)
        pixels = torch.from_numpy(crop.extract(crops[index].numpy(), 112)).permute(2, 0, 1) / 255
        assert (images[index] - pixels).abs().mean() < 0.01


def test_landmarks_stay_on_what_they_mark():
    # Each face is black but for one bright landmark, other for each.
    count = 98
    landmarks = faces(1)[1].expand(count, -1, -1)
    crops = torch.zeros(count, 160, 160, 3, dtype=torch.uint8)
    for index, (x, y) in enumerate(landmarks[0] * 160):
        crops[index, int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] = 255
    geometric = draw(count)
    keep = {"angle", "zoom", "shift", "mirror"}
    still = no_augmentation(count)
    geometric = replace(
        geometric, **{f.name: getattr(still, f.name) for f in fields(still) if f.name not in keep}
    )
    images, points = augment(crops, landmarks, geometric, **OPTIONS)
    assert 20 < int(geometric.mirror.sum()) < 78
    checked = 0
    for index in range(count):
        point = WFLW_98.mirror.index(index) if geometric.mirror[index] else index
        expected = points[index, point]
        if not ((expected > 0.05) & (expected < 0.95)).all():
            continue
        spot = images[index, 0] * (images[index, 0] > 0.2)
        y, x = torch.meshgrid(torch.arange(112) + 0.5, torch.arange(112) + 0.5, indexing="ij")
        found = torch.stack([(spot * x).sum(), (spot * y).sum()]) / spot.sum() / 112
        assert_close(found, expected, atol=1.5 / 112, rtol=0)
        checked += 1
    assert checked > 80


def test_same_seed_same_faces_and_another_seed_others():
    crops, landmarks = faces(6)
    first, again, other = (augment(crops, landmarks, draw(6, s), **OPTIONS)[0] for s in (0, 0, 1))
    assert_close(first, again, atol=0, rtol=0)
    assert (first - other).abs().mean() > 0.01


def test_a_share_of_the_batch_is_that_share_of_the_whole():
    crops, landmarks = faces(8)
    drawn = draw(8, occlusion=1.0, noise=0.1, low_resolution=0.5, compression=0.5, blur=0.5)
    images, points = augment(crops, landmarks, drawn, **OPTIONS)
    for part in (slice(0, 4), slice(4, 8)):
        share, share_points = augment(crops[part], landmarks[part], drawn.rows(part), **OPTIONS)
        assert_close(share, images[part], atol=1e-5, rtol=0)
        assert_close(share_points, points[part], atol=1e-6, rtol=0)


def test_pixels_stay_in_range_and_finite():
    crops, landmarks = faces(16)
    images, points = augment(crops, landmarks, draw(16), **OPTIONS)
    assert images.min() >= 0 and images.max() <= 1
    assert torch.isfinite(images).all() and torch.isfinite(points).all()


def test_mirror_happens_at_any_strength():
    assert draw(1000, strength=0.0).mirror.float().mean().item() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    "degrade",
    [
        lambda x: occlude(x, torch.zeros(len(x), 8)),
        lambda x: truncate(x, torch.zeros(len(x), 2)),
        lambda x: lower_resolution(x, torch.ones(len(x), dtype=torch.long)),
        lambda x: blur(x, torch.zeros(len(x), 2), torch.zeros(len(x))),
        lambda x: add_noise(x, torch.zeros(len(x)), torch.zeros(len(x), 2, dtype=torch.long)),
        lambda x: compress(x, torch.zeros(len(x))),
    ],
    ids=["occlude", "truncate", "lower_resolution", "blur", "add_noise", "compress"],
)
def test_degradations_leave_other_faces_alone(degrade):
    images = torch.rand(3, 3, 112, 112)
    assert_close(degrade(images), images, atol=0, rtol=0)


def test_compression_hurts_more_at_lower_quality():
    images = augment(*faces(2), no_augmentation(2), **OPTIONS)[0]
    errors = [
        (compress(images, torch.full((2,), q)) - images).square().mean() for q in (90.0, 50.0, 10.0)
    ]
    assert 0 < errors[0] < errors[1] < errors[2] < 0.01


def test_blur_keeps_brightness_and_removes_detail():
    images = torch.rand(2, 3, 64, 64)
    blurred = blur(images, torch.tensor([[2.0, 2.0], [0.0, 0.0]]), torch.zeros(2))
    assert blurred[0].mean().item() == pytest.approx(images[0].mean().item(), abs=0.01)
    assert blurred[0].std() < 0.5 * images[0].std()
    assert_close(blurred[1], images[1])


def test_truncation_blackens_one_side_to_its_depth():
    images = torch.ones(4, 3, 100, 100)
    cut = truncate(images, torch.tensor([[0.2, float(side)] for side in range(4)]))
    assert_close(cut.mean((1, 2, 3)), torch.full((4,), 0.8))
    assert cut[0, :, :, :20].max() == 0 and cut[1, :, :20].max() == 0
    assert cut[2, :, :, 80:].max() == 0 and cut[3, :, 80:].max() == 0


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), -float("inf"), 10**400])
@pytest.mark.parametrize("name", ["noise", "rotation", "grey", "gamma"])
def test_settings_that_are_negative_or_not_finite_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be finite and not negative, got "):
        AugmentationConfig(**{name: value})


def test_images_are_rgb_throughout():
    crops = torch.zeros(1, 160, 160, 3, dtype=torch.uint8)
    crops[..., 0] = 255
    landmarks = faces(1)[1]
    images, _ = augment(crops, landmarks, no_augmentation(1), **OPTIONS)
    np.testing.assert_allclose(images.mean((0, 2, 3)), [1, 0, 0], atol=2e-3)
