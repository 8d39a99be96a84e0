"""Python code that does what a tab shows, with a button that copies it."""

from __future__ import annotations

from html import escape

from landmark_app.models import Choice

_MIN_SCORE = 0.5

_PHOTO = """\
from pfld import FaceLandmarker, read_picture

landmarker = FaceLandmarker.from_pretrained("{network}", "{mode}", min_score={score})
for face in landmarker(read_picture("photo.jpg")):
    print(face.landmarks.shape, face.box, face.quality, face.pose)
"""
_VIDEO = """\
from pfld import FaceLandmarker, FaceTracker
from pfld.media.video import VideoReader

landmarker = FaceLandmarker.from_pretrained("{network}", "{mode}", min_score={score})
track = FaceTracker(landmarker, smoothing=True, max_faces=4)
with VideoReader("video.mp4") as video:
    for time_s, frame in video:
        for face in track(frame, time_s):
            print(time_s, face.identity, face.box, face.pose)
"""


def photo_snippet(choice: Choice) -> str:
    """Code for the faces of a photo, as HTML."""
    return _html(_PHOTO, choice)


def video_snippet(choice: Choice) -> str:
    """Code for the faces of a video, as HTML."""
    return _html(_VIDEO, choice)


def _html(template: str, choice: Choice) -> str:
    code = template.format(network=choice.network, mode=choice.mode, score=_MIN_SCORE)
    return (
        '<div class="pf-code"><button type="button" class="pf-button pf-copy">Copy</button>'
        f'<pre tabindex="0" aria-label="Python code"><code>{escape(code)}</code></pre></div>'
    )
