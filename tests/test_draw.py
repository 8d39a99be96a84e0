"""Drawing: where colours land. How pictures look is left to eyes."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pfld.draw import AXIS_COLORS, GROUP_COLORS, TEXT_COLOR, draw_faces, label_of, sureness_of
from pfld.head.model import facing_translation, head_points, project, rotation_from_angles
from pfld.landmarks import WFLW_TO_IBUG, scheme_with
from pfld.runtime.face import Face, face_size

BLACK = np.zeros((240, 320, 3), np.uint8)
NOTHING = dict(points=False, contours=False)
EVERYTHING = dict(boxes=True, axes=True, indices=True, labels=True)
SCHEMES = pytest.mark.parametrize("num_landmarks", [98, 68])


def face(
    x=160.0, y=100.0, scale=9.0, *, turn=(0, 0, 0), num_landmarks=98, identity=3, quality=0.874
):
    """The averaged head, ``scale`` pixels a centimetre, with the middle of its eyes near x, y."""
    rotation = rotation_from_angles(np.deg2rad(turn))
    seen = project(head_points(), rotation, facing_translation(head_points(), rotation, 60)) * 60
    seen -= seen[[60, 72]].mean(axis=0)
    landmarks = (seen * scale + (x, y)).astype(np.float32)
    return Face(
        landmarks if num_landmarks == 98 else landmarks[list(WFLW_TO_IBUG)], 0.9, quality, identity
    )


def weight_of(image, color):
    """How much of a pure enough colour there is in each pixel ``(H, W)``, 0..1."""
    return (np.abs(image.astype(int) - color).max(axis=2) < 25).astype(float)


def middle_of(weights):
    """The middle of what there is ``(2,)``: x, y in pixels, pixel 0 reaching from 0 to 1."""
    y, x = np.mgrid[: weights.shape[0], : weights.shape[1]] + 0.5
    return np.array([(weights * x).sum(), (weights * y).sum()]) / weights.sum()


@SCHEMES
def test_each_point_has_the_colour_of_its_group(num_landmarks):
    subject = face(num_landmarks=num_landmarks)
    image = draw_faces(BLACK, [subject], contours=False)
    for group, run in scheme_with(num_landmarks).groups.items():
        for x, y in subject.landmarks[list(run)]:
            assert_allclose(image[int(y), int(x)].astype(int), GROUP_COLORS[group], atol=25)


def test_the_picture_is_drawn_on_only_where_that_is_asked_for():
    image = BLACK.copy()
    copied = draw_faces(image, [face()])
    assert not image.any()
    assert draw_faces(image, [face()], copy=False) is image
    assert (image == copied).all() and image.any()
    locked = BLACK.copy()
    locked.flags.writeable = False
    assert (draw_faces(locked, [face()], copy=False) == copied).all() and not locked.any()


@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5, 0.75])
def test_points_lie_where_they_belong_within_a_tenth_of_a_pixel(offset):
    # Only the lowest point of the chin, which has the picture below the rest for itself.
    subject = face(160 + offset, 60 - offset, 12.0)
    image = draw_faces(BLACK, [subject], contours=False).astype(float)
    chin = subject.landmarks[16]
    rows = slice(int(chin[1]) - 5, int(chin[1]) + 6)
    columns = slice(int(chin[0]) - 5, int(chin[0]) + 6)
    blue = image[rows, columns, 2]
    assert_allclose(
        middle_of(blue) + (columns.start, rows.start), chin, atol=0.1
    )  # blue is most of what the contour's colour and least of what the rim's is


@SCHEMES
@pytest.mark.parametrize("scale", [3.0, 9.0, 30.0])
def test_contours_run_from_point_to_point(scale, num_landmarks):
    subject = face(400, 300, scale, num_landmarks=num_landmarks)
    image = draw_faces(np.zeros((800, 800, 3), np.uint8), [subject], points=False)
    jaw = subject.landmarks[: 33 if num_landmarks == 98 else 17]
    for x, y in (jaw[1:] + jaw[:-1]) / 2:
        assert image[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2, 2].max() > 150


@pytest.mark.parametrize(
    "first, last, group, drawn",
    [
        (33, 41, "brows", True),
        (60, 67, "eyes", True),
        (68, 75, "eyes", True),
        (76, 87, "mouth", True),
        (88, 95, "mouth", True),
        (0, 32, "contour", False),
        (37, 42, "brows", False),
        (54, 55, "nose", False),
        (96, 97, "eyes", False),
    ],
)
def test_loops_close_and_other_curves_do_not_join(first, last, group, drawn):
    subject = face(400, 300, 60.0)
    image = draw_faces(np.zeros((1000, 800, 3), np.uint8), [subject], points=False)
    x, y = (0.55 * subject.landmarks[first] + 0.45 * subject.landmarks[last]).astype(int)
    part = image[y - 1 : y + 2, x - 1 : x + 2]
    assert bool(weight_of(part, GROUP_COLORS[group]).any()) == drawn


@pytest.mark.parametrize(
    "turn, axis, direction",
    [
        ((40, 0, 0), 2, (1, 0)),  # the nose points where the face turns: right in the picture
        ((-40, 0, 0), 2, (-1, 0)),
        ((0, 35, 0), 2, (0, -1)),  # up in the picture when it looks up
        ((0, 0, 30), 1, (0.5, -0.87)),  # up leans over clockwise
        ((0, 0, 30), 0, (0.87, 0.5)),
    ],
    ids=["right", "left", "up", "tilted", "tilted sideways"],
)
def test_axes_point_where_the_head_does(turn, axis, direction):
    subject = face(turn=turn)
    image = draw_faces(BLACK, [subject], **NOTHING, axes=True)
    way = middle_of(weight_of(image, AXIS_COLORS[axis])) - subject.landmarks[54]
    assert_allclose(way / np.linalg.norm(way), direction, atol=0.25)


def test_a_box_goes_around_the_landmarks():
    subject = face()
    image = draw_faces(BLACK, [subject], **NOTHING, boxes=True)
    y, x = np.nonzero(image.min(axis=2) > 60)
    assert_allclose([x.min(), y.min(), x.max() + 1, y.max() + 1], subject.box, atol=2)


def test_labels_are_written_over_the_face():
    subject = face()
    image = draw_faces(BLACK, [subject], **NOTHING, labels=True)
    y, x = np.nonzero(weight_of(image, TEXT_COLOR))
    assert len(x) > 30
    assert y.max() < subject.box[1] and subject.box[0] - 3 < x.min()


@pytest.mark.parametrize("x, y", [(5, 20), (310, 60), (160, -20)])
def test_labels_of_faces_at_the_edge_stay_in_the_picture(x, y):
    inside = draw_faces(BLACK, [face()], **NOTHING, labels=["number 17"])
    at_edge = draw_faces(BLACK, [face(x, y)], **NOTHING, labels=["number 17"])
    assert weight_of(at_edge, TEXT_COLOR).sum() == pytest.approx(
        weight_of(inside, TEXT_COLOR).sum()
    )


def test_label_says_number_and_quality():
    assert label_of(face()) == "#3 87%"
    assert label_of(face(identity=None)) == "87%"


def test_indices_add_to_what_is_seen():
    plain, numbered = (draw_faces(BLACK, [face()], indices=on) for on in (False, True))
    assert weight_of(numbered, TEXT_COLOR).sum() > weight_of(plain, TEXT_COLOR).sum() + 200


def test_larger_faces_get_thicker_lines():
    covered = [
        (draw_faces(np.zeros((800, 800, 3), np.uint8), [face(400, 300, scale)], points=False) > 60)
        .any(axis=2).sum() / scale
        for scale in (6.0, 36.0)
    ]  # fmt: skip
    assert covered[1] > 3 * covered[0]


@pytest.mark.parametrize("scale", [0.5, 2.0, 9.0])
def test_small_faces_are_drawn_as_well(scale):
    image = draw_faces(BLACK, [face(scale=scale)])
    assert image.max() > 200


def test_the_picture_is_not_changed_and_may_be_a_view():
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    before = image.copy()
    drawn = draw_faces(image, [face()], **EVERYTHING)
    assert_array_equal(image, before)
    turned = draw_faces(np.asfortranarray(image)[::-1][::-1], [face()], **EVERYTHING)
    assert_array_equal(turned, drawn)
    image.flags.writeable = False
    assert_array_equal(draw_faces(image, [face()], **EVERYTHING), drawn)


def test_no_faces_give_a_copy():
    drawn = draw_faces(BLACK, [], labels=True)
    assert_array_equal(drawn, BLACK)
    assert drawn is not BLACK and not np.shares_memory(drawn, BLACK)


@pytest.mark.parametrize(
    "x, y", [(-30, 100), (160, 250), (310, 20)], ids=["left", "below", "right"]
)
def test_a_face_half_outside_is_drawn_as_in_a_larger_picture(x, y):
    options = EVERYTHING | {"labels": False}  # which move into the picture
    drawn = draw_faces(BLACK, [face(x, y)], **options)
    larger = draw_faces(np.zeros((640, 720, 3), np.uint8), [face(x + 200, y + 200)], **options)
    inside = np.s_[4:-4, 4:-4]  # lines are cut off a little differently at the very edge
    assert drawn[inside].any()
    assert_array_equal(drawn[inside], larger[200:440, 200:520][inside])


@pytest.mark.filterwarnings("error")
def test_a_face_far_outside_leaves_the_picture_as_it_is():
    assert_array_equal(draw_faces(BLACK, [face(-1e12, 5e11)], **EVERYTHING), BLACK)


def test_a_face_far_larger_than_the_picture_is_no_error():
    drawn = draw_faces(BLACK, [face(scale=1e5)], **EVERYTHING)
    assert drawn.shape == BLACK.shape and weight_of(drawn, TEXT_COLOR).any()  # its label


def test_faces_that_are_not_finite_are_passed_over():
    broken = Face(np.full((98, 2), np.nan, np.float32), 0.9, 0.9)
    assert_array_equal(draw_faces(BLACK, [broken], **EVERYTHING), BLACK)


def test_a_face_in_one_place_is_a_spot_there():
    point = Face(np.full((98, 2), (90, 70), np.float32), 0.9, 0.9)
    y, x = np.nonzero(draw_faces(BLACK, [point], **EVERYTHING).any(axis=2))
    assert len(x) and np.abs(np.stack([x, y], axis=1) - (90, 70)).max() < 40


@pytest.mark.parametrize(
    "image",
    [BLACK[..., 0], BLACK / 255, np.zeros((9, 9, 4), np.uint8)],
    ids=["grey", "float", "RGBA"],
)
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match=r"RGB \(H, W, 3\) uint8"):
        draw_faces(image, [face()])


def test_labels_must_be_as_many_as_faces():
    with pytest.raises(ValueError, match="got 1 for 2"):
        draw_faces(BLACK, [face(), face()], labels=["one"])


def test_an_unknown_number_of_points_is_refused():
    with pytest.raises(ValueError, match="5 points"):
        draw_faces(BLACK, [Face(np.zeros((5, 2), np.float32), 0.9, 0.9)])


def unsure(subject, error):
    error = np.full(len(subject.landmarks), error, np.float32)
    return replace(subject, point_uncertainty=error)


def test_points_and_curves_are_thin_where_the_network_is_unsure():
    subject = face(scale=12.0)
    size = face_size(subject.landmarks)
    painted = [
        int((draw_faces(BLACK, [unsure(subject, part * size)], uncertainty=True) > 0).sum())
        for part in (0.0, 0.03, 0.075, 0.12, 0.5)
    ]
    assert painted[0] == painted[1] > 1.1 * painted[2] > 1.1 * 1.1 * painted[3]
    assert painted[3] == painted[4] > 0
    # Only on request, and only where the network knows.
    plain = draw_faces(BLACK, [subject])
    assert_array_equal(draw_faces(BLACK, [unsure(subject, size)]), plain)
    assert_array_equal(draw_faces(BLACK, [subject], uncertainty=True), plain)
    assert sureness_of(subject) is None


def test_one_unsure_point_alone_is_thin():
    subject = unsure(face(scale=12.0), 0.0)
    subject.point_uncertainty[16] = 99
    assert sureness_of(subject)[16] == 0 and sureness_of(subject)[17] == 1
    options = {"contours": False, "uncertainty": True}
    others = draw_faces(BLACK, [unsure(subject, 0.0)], **options)
    changed = (draw_faces(BLACK, [subject], **options) != others).any(axis=2)
    y, x = np.nonzero(changed)
    assert len(x) and np.abs(np.stack([x, y], 1) - subject.landmarks[16]).max() < 8
