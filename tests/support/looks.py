"""Functions of a picture, for processes that look at pictures."""

import os

import numpy as np


def about(image):
    return {"shape": image.shape, "sum": int(image.sum()), "pid": os.getpid()}


def refused(image):
    raise ValueError("the picture is too grey")


def endless(image):
    while True:
        image.sum()


def greedy(image):
    return np.ones((2**33,), np.uint8).size


def crash(image):
    os.abort()


def mistaken(image):
    raise KeyError("no such thing")
