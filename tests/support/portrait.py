"""The public-domain portrait turned, and where its eyes are."""

import cv2
import numpy as np

EYES = np.array([[203.5, 102.5], [245.5, 107.5]])  # pupils in the portrait, by hand
HEAD = (226, 120)


def turned_portrait(portrait, degrees):
    """The head of the portrait turned clockwise in a picture ``(480, 640, 3)``; where its pupils are then."""
    matrix = cv2.getRotationMatrix2D(HEAD, -degrees, 1.0)  # OpenCV turns counter-clockwise
    matrix[:, 2] += np.array([300, 260]) - HEAD
    return cv2.warpAffine(portrait, matrix, (640, 480)), EYES @ matrix[:, :2].T + matrix[:, 2]
