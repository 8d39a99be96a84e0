"""Videos in Motion JPEG, whose frames stand one after the other: readable up to any place."""

import cv2


def motion_jpeg(path, frames_bgr, rate=12.5):
    """Writes an .avi file; its path."""
    writer = None
    for frame in frames_bgr:
        if writer is None:
            fourcc = cv2.VideoWriter_fourcc(*"MJPG")
            writer = cv2.VideoWriter(str(path), fourcc, rate, frame.shape[1::-1])
        writer.write(frame)
    writer.release()
    return path
