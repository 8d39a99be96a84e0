"""OpenCV's log level, which versions 4 keep in different places."""

from __future__ import annotations

import cv2

SILENT = 0


def set_log_level(level: int) -> int:
    """Sets what OpenCV prints on standard error in this process; returns the level before."""
    log = getattr(cv2.utils, "logging", cv2)  # from 4.14 on in cv2.utils.logging alone
    before: int = log.getLogLevel()
    log.setLogLevel(level)
    return before
