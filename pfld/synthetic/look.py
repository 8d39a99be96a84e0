"""Random appearance of a drawn head: colours, hair, glasses and light, but not its shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pfld.head.model import FloatArray

_SKIN_TONES = np.array(
    [(84, 56, 42), (134, 92, 66), (186, 138, 108), (222, 176, 148), (242, 208, 188)]
)
_HAIR = np.array(
    [(22, 18, 18), (54, 36, 26), (104, 68, 42), (186, 150, 92), (132, 62, 34), (172, 170, 168)]
)
_IRIS = np.array([(58, 38, 24), (96, 64, 36), (84, 104, 62), (70, 108, 146), (92, 102, 110)])


@dataclass(frozen=True)
class Look:
    """Colours (RGB, 0..255) and style of one head.

    Attributes:
        forehead: Height of the hairline above the eyes, in centimetres.
        long_hair, fringe, beard, teeth, made_up: What the head wears or shows.
        glasses: 0 for none, 1 for clear, 2 for dark ones.
        light: Where light comes from in the picture, about -1..1 to the right and down.
    """

    skin: FloatArray
    hair: FloatArray
    iris: FloatArray
    lips: FloatArray
    clothes: FloatArray
    forehead: float
    long_hair: bool
    fringe: bool
    beard: bool
    teeth: bool
    made_up: bool
    glasses: int
    light: FloatArray


def random_look(rng: Generator) -> Look:
    """A random appearance."""
    chance = rng.random(8)
    tone = rng.random() * (len(_SKIN_TONES) - 1)
    skin = np.array(
        [np.interp(tone, range(len(_SKIN_TONES)), channel) for channel in _SKIN_TONES.T]
    )
    skin = np.clip(skin + rng.normal(0, 5, 3), 20, 250)
    made_up = chance[0] < 0.2
    natural = skin * (0.86, 0.66, 0.66)
    lips = np.array([rng.uniform(140, 200), 30, 55]) if made_up else natural
    return Look(
        skin=skin,
        hair=np.clip(_HAIR[rng.integers(len(_HAIR))] + rng.normal(0, 8, 3), 8, 240),
        iris=_IRIS[rng.integers(len(_IRIS))] + rng.normal(0, 6, 3),
        lips=lips + rng.normal(0, 5, 3),
        clothes=rng.uniform(20, 230, 3),
        forehead=rng.uniform(5.0, 6.8),
        long_hair=bool(chance[1] < 0.4),
        fringe=bool(chance[2] < 0.2),
        beard=bool(chance[3] < 0.15 and not made_up),
        teeth=bool(chance[4] < 0.6),
        made_up=bool(made_up),
        glasses=0 if chance[5] > 0.14 else 1 if chance[5] > 0.04 else 2,
        light=rng.uniform((-1, -0.8), (1, 0.4)),
    )
