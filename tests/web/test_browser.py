"""Landmarks in a real browser: the same numbers as in Python; the static page with a camera and photos."""

import numpy as np
import pytest

from pfld import FaceLandmarker
from pfld.commands.site import write_site
from pfld.geometry import FaceCrop
from pfld.runtime.backends import load_backend
from pfld.weights.shipped import shipped_networks
from support.browser import QuietHandler, browser_api, served
from support.fake_camera import PORTRAIT, write_camera
from support.fake_camera import portrait as frame_of_portrait
from support.running_app import launch_chromium

pytestmark = pytest.mark.browser

NETWORKS = ("ghostone-small-heatmap", "ghostone-small")  # with and without uncertainty
PATIENCE_MS = 60_000

sync_api = browser_api()
if not set(NETWORKS) <= set(shipped_networks("onnx")):
    pytest.skip("needs weights/*.onnx", allow_module_level=True)


class Server(QuietHandler):
    """Counts what is sent to it."""

    uploads: list[str] = []

    def do_POST(self):
        self.uploads.append(self.path)
        self.send_error(405)

    do_PUT = do_POST


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of the static page, in a folder below the server's root."""
    root = tmp_path_factory.mktemp("root")
    write_site(root / "some where" / "site", NETWORKS)
    with served(root, Server) as address:
        yield f"{address}some%20where/site/"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    frames = [frame_of_portrait(index / 30) for index in range(30)]
    camera = write_camera(tmp_path_factory.mktemp("camera") / "face.y4m", frames)
    with sync_api.sync_playwright() as playwright:
        browser = launch_chromium(playwright, camera)
        yield browser
        browser.close()


@pytest.fixture
def visit(site, browser):
    """Opens the static page; in the end there must be no error and no request to elsewhere."""
    contexts, troubles = [], []

    def open_page(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda m: m.type in ("error", "warning") and troubles.append(m.text))
        context.on("request", lambda r: r.url.startswith(("blob:", site)) or troubles.append(r.url))
        context.on("request", lambda r: r.method == "GET" or troubles.append(r.method))
        page.goto(site)
        page.wait_for_function("() => document.querySelectorAll('#sizes tr').length > 0")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
    assert Server.uploads == []


def state(page, wanted):
    """Waits until JavaScript about the page's ``pfld`` state holds, and returns that state."""
    handle = page.wait_for_function(
        f"() => {{ const pfld = window.pfld; return {wanted} || pfld.error ? pfld : null; }}"
    )
    value = handle.json_value()
    assert value["error"] is None
    return value


def points_of(face):
    return np.reshape(face["points"], (98, 2))


def eye_distance(landmarks):
    return np.linalg.norm(landmarks[60] - landmarks[72])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("backend, tolerance", [("onnx", 1e-3 / 112), ("onnx-int8", 0.5 / 112)])
def test_a_network_gives_a_crop_the_points_that_python_gives_it(
    visit, portrait, name, backend, tolerance
):
    crop = FaceCrop(225.0, 130.0, 170.0, 0.1).extract(portrait, 112)
    expected = load_backend(name, backend).predict_with_uncertainty(crop[None])
    file = f"{name}{'-int8' if backend == 'onnx-int8' else ''}.onnx"
    found = visit().evaluate(
        """async ([file, crop]) => {
          const { Landmarker } = await import(new URL("modules/landmarker.js", location.href));
          const landmarker = await Landmarker.load(new URL(`models/${file}`, location.href));
          const [{ landmarks, uncertainty }] = await landmarker.predict([Uint8Array.from(crop)]);
          return [[...landmarks], uncertainty && [...uncertainty]];
        }""",
        [file, crop.ravel().tolist()],
    )
    landmarks = np.reshape(found[0], (98, 2))
    np.testing.assert_allclose(landmarks, expected.landmarks[0], rtol=0, atol=tolerance)
    if np.isnan(expected.uncertainty).any():
        assert found[1] is None
    else:
        np.testing.assert_allclose(found[1], expected.uncertainty[0], rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    "crop",
    [FaceCrop(225, 130, 90, 0.3), FaceCrop(225, 130, 400, -0.5), FaceCrop(20.5, 30.25, 150)],
    ids=["enlarged", "reduced", "over the edge"],
)
def test_crops_are_cut_as_in_python(visit, portrait, crop):
    pixels = visit().evaluate(
        """async ([x, y, side, angle]) => {
          const { FaceCrop } = await import(new URL("modules/geometry.js", location.href));
          const bitmap = await createImageBitmap(await (await fetch("example.jpg")).blob());
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          const context = canvas.getContext("2d");
          context.drawImage(bitmap, 0, 0);
          const image = context.getImageData(0, 0, canvas.width, canvas.height);
          return [...new FaceCrop(x, y, side, angle).extract(image, 112)];
        }""",
        [crop.center_x, crop.center_y, crop.side, crop.angle],
    )
    apart = np.abs(np.reshape(pixels, (112, 112, 3)) - crop.extract(portrait, 112).astype(int))
    # JPEG decoders differ by a level or two, and OpenCV rounds places to 1/32 pixel.
    assert apart.mean() < 1.5 and np.percentile(apart, 99) <= 10


def test_a_photo_has_the_landmarks_that_python_finds(visit, portrait):
    page = visit()
    page.click("#example")
    (face,) = state(page, "pfld.faces.length > 0")["faces"]
    (expected,) = FaceLandmarker.from_pretrained(NETWORKS[0])(portrait)
    apart = np.linalg.norm(points_of(face) - expected.landmarks, axis=1)
    assert apart.mean() < 0.01 * eye_distance(expected.landmarks)
    assert apart.max() < 0.02 * eye_distance(expected.landmarks)
    np.testing.assert_allclose(face["pose"], expected.pose, atol=1.0)
    assert face["quality"] == pytest.approx(expected.quality, abs=0.01)


def test_a_photo_of_ones_own_is_taken_and_what_is_none_is_refused(visit, tmp_path):
    page = visit()
    page.set_input_files("#photo", PORTRAIT)
    assert len(state(page, "pfld.faces.length > 0")["faces"]) == 1
    fake = tmp_path / "notes.jpg"
    fake.write_text("not a picture")
    page.set_input_files("#photo", fake)
    page.get_by_text("Not a picture").wait_for()


def test_landmarks_follow_a_face_before_the_camera(visit):
    page = visit()
    page.click("#start")
    first = state(page, "pfld.shown > 3 && pfld.faces.length === 1")["faces"][0]
    for network in reversed(NETWORKS):
        page.select_option("#network", network)
        shown = state(page, "true")["shown"]
        face = state(page, f"pfld.shown > {shown + 6} && pfld.faces.length === 1")["faces"][0]
    assert np.abs(points_of(face)[54] - points_of(first)[54]).max() > 2  # the face moves
    assert face["quality"] > 0.8
    page.wait_for_function("() => document.getElementById('whole-ms').textContent.endsWith('ms')")
    page.click("#stop")
    page.get_by_text("Camera stopped").wait_for()


def test_the_picture_fills_its_frame_and_nothing_of_the_camera_stays(visit):
    page = visit()
    shown = "() => document.getElementById('picture').toDataURL()"
    blank = page.evaluate(
        "() => Object.assign(document.createElement('canvas'), {width: 640, height: 480}).toDataURL()"
    )
    page.wait_for_function(f"blank => ({shown})() !== blank", arg=blank)
    before = page.evaluate(shown)  # the example's face
    assert page.locator(".readout").is_hidden()
    page.click("#start")
    state(page, "pfld.shown > 0")
    assert page.locator(".readout").is_visible() and page.evaluate(shown) != before
    for size in ((1280, 720), (390, 844)):
        page.set_viewport_size(dict(zip(("width", "height"), size)))
        stage, picture = (page.locator(part).bounding_box() for part in (".stage", "#picture"))
        assert stage == pytest.approx(picture, abs=1)
    page.click("#stop")
    page.wait_for_function(f"before => ({shown})() === before", arg=before)


STAGE = """
          const { BrowserRuntime } = await import(new URL("modules/runtime.js", location.href));
          const bitmap = await createImageBitmap(await (await fetch("example.jpg")).blob());
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [640, 360];
          const context = canvas.getContext("2d", { willReadFrequently: true });
          const runtime = new BrowserRuntime();
          const draw = (places) => {
            context.clearRect(0, 0, 640, 360);
            for (const x of places) context.drawImage(bitmap, 75, 0, 300, 340, x, 0, 318, 360);
          };
"""  # a canvas on which the example's face can be drawn at places


def test_several_faces_keep_their_numbers_and_are_lost_when_they_leave(visit):
    counts = visit().evaluate(
        "async (file) => {"
        + STAGE
        + """
          const seen = [];
          const show = async (places, maxFaces, timeS) => {
            draw(places);
            const settings = { file, timeS, maxFaces, smoothing: true };
            const { faces } = await runtime.locate(canvas, settings);
            seen.push(faces.map(({ id, box }) => [id, (box[0] + box[2]) / 2]));
          };
          for (let i = 0; i < 4; i += 1) await show([3 * i, 320 - 3 * i], 2, i / 30);
          await show([10, 310], 1, 4 / 30);
          for (let i = 5; i < 9; i += 1) await show([], 2, i / 30);
          await show([10], 2, 9 / 30 + 0.6);
          return seen;
        }""",
        f"{NETWORKS[0]}.onnx",
    )
    for faces in counts[:4]:
        assert sorted(number for number, _ in faces) == [1, 2]
        places = dict(faces)
        assert abs(places[1] - places[2]) > 200
        assert (places[1] < places[2]) == (dict(counts[0])[1] < dict(counts[0])[2])
    assert len(counts[4]) == 1
    assert counts[8] == []
    ((number, _),) = counts[9]
    assert number > 2


@pytest.mark.parametrize("interval_s", [0.1, 0.3, 0.7])
def test_a_face_that_jumps_between_rare_frames_is_found_in_the_same_frame(visit, interval_s):
    seen = visit().evaluate(
        "async ([file, intervalS]) => {"
        + STAGE
        + """
          const middles = [];
          for (let i = 0; i < 12; i += 1) {
            draw([i % 4 < 2 ? 10 : 310]);
            const settings = { file, timeS: i * intervalS, maxFaces: 1, smoothing: false };
            const { faces } = await runtime.locate(canvas, settings);
            middles.push(faces.map(({ box }) => (box[0] + box[2]) / 2));
          }
          return middles;
        }""",
        [f"{NETWORKS[0]}.onnx", interval_s],
    )
    for index, middles in enumerate(seen):
        (middle,) = middles
        assert abs(middle - np.mean(seen[0]) - (0 if index % 4 < 2 else 300)) < 20


def test_smoothing_makes_landmarks_steadier(visit):
    """Over a hundred noisy frames of a face that rests, then one where it has jumped."""
    rng = np.random.default_rng(0)
    still = rng.uniform(100, 200, (98, 2))
    noisy = still + rng.normal(0, 0.4, (100, 98, 2))
    smooth = visit().evaluate(
        """async (frames) => {
          const { LandmarkSmoother } = await import(new URL("modules/smoothing.js", location.href));
          const smoother = new LandmarkSmoother();
          return frames.map((points, i) => [...smoother.next(Float64Array.from(points), i / 30)]);
        }""",
        [*noisy.reshape(100, -1).tolist(), (still + 30).ravel().tolist()],
    )
    shown = np.reshape(smooth, (101, 98, 2))
    steps, noise = np.diff(shown[50:100], axis=0), np.diff(noisy[50:], axis=0)
    assert np.square(steps).mean() < 0.1 * np.square(noise).mean()
    assert np.abs(shown[100] - (still + 30)).max() < 2


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [1280, 390], ids=["laptop", "phone"])
def test_the_page_fits_the_screen(visit, width, scheme):
    page = visit(viewport={"width": width, "height": 720}, color_scheme=scheme)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.locator("#sizes tr").count() == len(NETWORKS)
    page.get_by_role("link", name="Licences").click()
    page.get_by_text("ONNX Runtime Web").wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
