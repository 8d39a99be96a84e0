"""Faces cut by the border of a picture, faces that fill it, and tiny ones, in FaceLandmarker."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from pfld import FaceLandmarker, read_picture
from pfld.geometry import box_overlaps
from pfld.synthetic.scenery import background
from support.paths import ROOT

pytestmark = pytest.mark.slow

HOPPER = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
WELL = 0.1  # of the distance of the outer eye corners: the error of a face that is found well


@pytest.fixture(scope="module")
def landmarker():
    return FaceLandmarker.from_pretrained()


@pytest.fixture(scope="module")
def people(landmarker, portrait):
    """By name, a picture and the landmarks of the only face in it."""
    pictures = {"astronaut": portrait, "hopper": read_picture(HOPPER)}
    return {name: (image, landmarker(image)[0].landmarks) for name, image in pictures.items()}


def turned(image, points, degrees):
    """A picture turned clockwise; the border goes on outside."""
    middle = points.mean(axis=0)
    side = int(1.2 * max(image.shape))
    matrix = cv2.getRotationMatrix2D(middle.tolist(), -degrees, 1.0)
    matrix[:, 2] += side / 2 - middle
    image = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return image, points @ matrix[:, :2].T + matrix[:, 2]


def cut(image, points, **parts):
    """The picture with a part of the face cut off at sides; negative parts leave room beside the face."""
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    left, top, (bottom, right) = 0, 0, image.shape[:2]
    if "left" in parts:
        left = max(int(x0 + parts["left"] * (x1 - x0)), 0)
    if "top" in parts:
        top = max(int(y0 + parts["top"] * (y1 - y0)), 0)
    if "right" in parts:
        right = int(x1 - parts["right"] * (x1 - x0))
    if "bottom" in parts:
        bottom = int(y1 - parts["bottom"] * (y1 - y0))
    return np.ascontiguousarray(image[top:bottom, left:right]), points - (left, top)


def head_of(image, points, size):
    """The head alone, its landmarks ``size`` pixels across."""
    head, points = cut(image, points, **dict.fromkeys(("left", "top", "right", "bottom"), -0.4))
    factor = size / np.ptp(points, axis=0).max()
    small = cv2.resize(head, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return small, points * factor


def paste(picture, head, points, x, y):
    """Puts a head into a picture, in place; its landmarks there."""
    height, width = head.shape[:2]
    picture[y : y + height, x : x + width] = head
    return points + (x, y)


def errors(faces, points):
    eyes = np.linalg.norm(points[60] - points[72])
    return [np.linalg.norm(face.landmarks - points, axis=1).mean() / eyes for face in faces]


def errors_within(picture, faces, points):
    """Of the points within the picture alone: where the others are is a guess."""
    eyes = np.linalg.norm(points[60] - points[72])
    within = ((points >= 0) & (points < picture.shape[1::-1])).all(axis=1)
    return [np.linalg.norm(face.landmarks - points, axis=1)[within].mean() / eyes for face in faces]


def require_what_a_glance_finds(landmarker, picture, *truths):
    """No fewer faces found well than a glance finds well, and none beside the true ones."""
    faces = landmarker(picture)
    glanced = landmarker(picture, thorough=False)
    for points in truths:
        if min(errors(glanced, points), default=1) < WELL:
            assert min(errors_within(picture, faces, points), default=1) < WELL
    assert len(faces) <= len(truths)
    return faces


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize(
    ("who", "degrees", "part"),
    [
        ("astronaut", 0, 0.2),
        ("astronaut", 0, 0.4),
        ("astronaut", 30, 0.5),
        ("astronaut", 90, 0.4),
        ("hopper", 0, 0.5),
    ],
)
def test_a_cut_face_is_found_and_no_other(landmarker, people, who, degrees, side, part):
    picture, points = people[who]
    if degrees:
        picture, points = turned(picture, points, degrees)
    faces = require_what_a_glance_finds(landmarker, *cut(picture, points, **{side: part}))
    assert part > 0.2 or len(faces) == 1


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("who", ["astronaut", "hopper", "photographer", "covered", "dark"])
def test_every_face_of_a_glance_is_found(landmarker, who, side):
    picture = read_picture(ROOT / "demo" / "examples" / f"{who}.jpg")
    points = landmarker(picture)[0].landmarks
    for part in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
        rest, _ = cut(picture, points, **{side: part})
        boxes = [face.box for face in landmarker(rest)]
        for face in landmarker(rest, thorough=False):
            assert boxes and box_overlaps(face.box, boxes).max() > 0.5, part


@pytest.mark.parametrize("part", [-0.1, 0.0, 0.2])
@pytest.mark.parametrize("who", ["astronaut", "hopper"])
def test_a_face_that_fills_the_picture_is_found_once(landmarker, people, who, part):
    sides = dict.fromkeys(("left", "right", "top", "bottom"), part)
    faces = require_what_a_glance_finds(landmarker, *cut(*people[who], **sides))
    assert part > 0 or len(faces) == 1


@pytest.mark.parametrize("size", [24, 40])
@pytest.mark.parametrize("who", ["astronaut", "hopper"])
def test_a_tiny_face_in_a_large_picture_is_found_once(landmarker, people, who, size):
    picture = background(np.random.default_rng(5), 960)[:720]
    head, points = head_of(*people[who], size)
    placed = paste(picture, head, points, 500, 300)
    faces = require_what_a_glance_finds(landmarker, picture, placed)
    assert size < 32 or min(errors(faces, placed)) < 2 * WELL


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_cut_face_beside_a_whole_one_is_found_as_well(landmarker, people, side):
    picture = background(np.random.default_rng(7), 900)
    head, points = head_of(*people["astronaut"], 160)
    part, part_points = cut(head, points, **{side: 0.3})
    height, width = part.shape[:2]
    x = {"left": 0, "right": 900 - width}.get(side, 100)
    y = {"top": 0, "bottom": 900 - height}.get(side, 100)
    at_border = paste(picture, part, part_points, x, y)
    whole = paste(picture, head, points, 450 if x < 450 else 50, 450 if y < 450 else 50)
    faces = require_what_a_glance_finds(landmarker, picture, whole, at_border)
    assert len(faces) == 2
