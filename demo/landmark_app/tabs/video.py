"""The Video tab: finds faces in a video, with an annotated copy, CSV and JSON to download."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from landmark_app.camera.follow import MOST_FACES
from landmark_app.files.examples import VIDEOS
from landmark_app.files.freed import free_memory_soon
from landmark_app.files.preview import preview
from landmark_app.files.uploads import uploaded
from landmark_app.files.video import VideoOptions, VideoReport, on_video
from landmark_app.look.charts import line_chart, progress_bar
from landmark_app.look.snippets import video_snippet
from landmark_app.look.tables import notice
from landmark_app.models import Choice, Models
from landmark_app.tabs.choosing import choose_network, python_code
from landmark_app.tabs.controls import downloads, run_on_click, shown
from landmark_app.tabs.examples import examples
from pfld.draw import Drawing


def video_tab(models: Models, folder: Path, max_s: float) -> None:
    """Builds the tab."""
    invitation = notice(
        f"Choose a video (MP4, MOV, WebM, MKV, AVI, …) of up to {max_s:.0f} seconds, then press Find "
        "faces, or take the example. "
        "The copy is an MP4 file with the video's sound."
    )

    def process(
        path: str | None,
        choice: Choice,
        smoothing: bool,
        max_faces: float,
        show: list[str],
    ) -> Iterator[tuple[Any, ...]]:
        if not path:
            yield "", notice("Choose a video first.", "error"), *_nothing()
            return
        options = VideoOptions(max_s, int(max_faces), bool(smoothing), Drawing.of(show))
        said = "Cancelled. Nothing was kept."
        try:
            yield said, progress_bar("Opening the video …", 0, None), *_nothing()
            own = uploaded(path, folder)
            for report in on_video(models, own, choice, folder, options):
                yield said, _progress(report), *[gr.skip()] * 5
        except (ValueError, OSError) as error:
            yield "", notice(str(error), "error"), *_nothing()
            return
        finally:
            free_memory_soon()
        files = downloads([report.video, report.table, report.data])
        yield "", summary(report), str(report.video), _charts(report), *files

    with gr.Row(equal_height=False, elem_classes="pf-split pf-files"):
        with gr.Column(scale=1, min_width=280, elem_classes="pf-input"):
            # gr.Video would refuse videos that browsers cannot play but VideoReader can read.
            video = gr.File(label="Video", file_types=["video"], elem_id="video-in", height=160)
            first_frame = gr.HTML(elem_id="video-preview", apply_default_css=False)
            example = examples(VIDEOS, video, folder)
            with gr.Row():
                start = gr.Button("Find faces", variant="primary", elem_id="video-start")
                cancel = gr.Button("Cancel", interactive=False, elem_id="video-cancel")
        with gr.Column(scale=2, min_width=320, elem_classes="pf-result"):
            status = gr.HTML(invitation, elem_id="video-status", apply_default_css=False)
            result = gr.Video(
                label="Landmarks", interactive=False, elem_id="video-out", elem_classes="pf-video"
            )
            with gr.Row(elem_classes="pf-downloads"):
                copy, table, data = (
                    gr.DownloadButton(f"Download {kind}", interactive=False, elem_id=name)
                    for kind, name in (
                        ("video", "video-copy"),
                        ("CSV", "video-table"),
                        ("JSON", "video-json"),
                    )
                )
            charts = gr.HTML(elem_id="video-charts", apply_default_css=False)
        with gr.Column(scale=1, min_width=280, elem_classes="pf-settings"):
            choice = choose_network(models)
            smoothing = gr.Checkbox(True, label="Smooth landmarks")
            max_faces = gr.Slider(1, MOST_FACES, value=4, step=1, label="Faces at most")
            show = shown()
            python_code(video_snippet, models.default, choice)
    video.change(
        lambda path: preview_html(path, folder),
        video,
        first_frame,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
        concurrency_id="jobs",
    )
    run_on_click(
        start,
        cancel,
        process,
        [video, choice, smoothing, max_faces, show],
        [status, result, charts, copy, table, data],
        concurrency_id="jobs",
    )
    example.then(None, js="() => document.getElementById('video-start').click()")


def preview_html(path: str | None, folder: Path) -> str:
    """The first frame of a video with what the file says of itself, or why there is none, as HTML.

    Args:
        path: As the page sends it; None without a video.
        folder: Holds uploads.
    """
    if not path:
        return ""
    try:
        found = preview(uploaded(path, folder))
    except (ValueError, OSError) as error:
        return notice(str(error), "error")
    source = f"data:image/webp;base64,{base64.b64encode(found.webp).decode()}"
    return (
        f'<figure class="pf-preview"><img src="{source}" alt="First frame of the video">'
        f"<figcaption>{escape(found.words)}</figcaption></figure>"
    )


def _nothing() -> tuple[Any, ...]:
    """Values of result, charts and downloads when there are none."""
    return None, "", *downloads([None] * 3)


def _progress(report: VideoReport) -> str:
    done, total = len(report.times_s), report.num_frames
    rate = done / max(report.seconds, 1e-6)
    text = f"{done} of {total} frames" if total else f"{done} frames"
    left = f", {max(total - done, 0) / rate:.0f} s left" if total and rate else ""
    return progress_bar(f"{text}, {rate:.0f} a second{left}", done, total)


def summary(report: VideoReport) -> str:
    """What a video's frames and faces were, and what its copy lacks, as HTML."""
    frames = len(report.times_s)
    with_faces = sum(bool(faces) for faces in report.faces)
    text = (
        f"{frames} frames in {report.seconds:.1f} s ({frames / max(report.seconds, 1e-6):.0f} a second, "
        f"with reading, drawing and writing the copy), {with_faces} with faces."
    )
    if not with_faces:
        text += " Faces should be lit from the front and not too small."
    problem = notice(report.problem, "error") if report.problem else ""
    if report.sound_left_out:
        problem += notice(
            f"The copy has no sound: the video's is {report.sound_left_out}, which is not read here.",
            "error",
        )
    return problem + notice(text)


def _charts(report: VideoReport) -> str:
    latency = {"Finding and following": (report.times_s, report.latencies_ms)}
    times, faces = report.main_face()
    openings = {}
    if faces and len(faces[0].landmarks) == 98:
        openings = {
            "Left eye": (times, [face.eye_opening[0] for face in faces]),
            "Right eye": (times, [face.eye_opening[1] for face in faces]),
            "Mouth": (times, [face.mouth_opening for face in faces]),
        }
    return line_chart("Latency per frame", latency, unit="ms") + line_chart(
        "Openings of the face seen most", openings, unit="height over width"
    )
