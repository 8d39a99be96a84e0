"""Networks run without a backend, as the answer to compare with."""

import torch


def predict_landmarks(network, crops, preprocessing):
    """Landmarks ``(N, L, 2)`` in fractions of the RGB crops ``(N, S, S, 3)``."""
    with torch.inference_mode():
        found = network.eval()(torch.from_numpy(preprocessing(crops)))
    return found.unflatten(1, (-1, 2)).numpy()
