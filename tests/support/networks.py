"""Small networks with random weights, and how to run them without a backend."""

import copy
from dataclasses import replace

import torch
from torch import nn

from pfld import reparameterize
from pfld.blocks import MobileOneBlock, set_folded_training
from pfld.preprocess import Preprocessing
from pfld.synthetic.faces import synthetic_faces
from pfld.weights import WeightMetadata

METADATA = WeightMetadata(
    "ghostone", Preprocessing(96), width_multiplier=0.25, num_conv_branches=2, metrics={"nme": 0.25}
)
PREPROCESSING = METADATA.preprocessing
GHOSTNET = replace(METADATA, network="ghostnet")  # has shortcuts as well

BLOCKS = {  # in, out, kernel, stride, groups, height, width, branches
    "pointwise": (8, 12, 1, 1, 1, 7, 5, 6),
    "pointwise with skip": (8, 8, 1, 1, 1, 6, 6, 6),
    "pointwise, one branch": (8, 4, 1, 1, 1, 6, 6, 1),
    "depthwise, odd map": (8, 8, 3, 1, 8, 7, 7, 6),
    "depthwise, oblong map": (8, 8, 3, 1, 8, 6, 5, 6),
    "depthwise, smallest map": (8, 8, 3, 1, 8, 2, 2, 6),
    "depthwise, one row": (8, 8, 3, 1, 8, 1, 5, 6),
    "depthwise stride 2, odd map": (8, 8, 3, 2, 8, 7, 7, 6),
    "depthwise stride 2, even map": (8, 8, 3, 2, 8, 8, 8, 6),
    "depthwise stride 2, mixed map": (8, 8, 3, 2, 8, 8, 7, 1),
    "stem": (3, 8, 3, 2, 1, 8, 8, 6),
    "dense": (4, 6, 3, 1, 1, 5, 5, 6),
    "grouped": (4, 8, 3, 1, 2, 5, 5, 6),
}


def randomise(model: nn.Module) -> None:
    """Batch norms as after training: fresh ones would hide most folding mistakes."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.1, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)


def pair(spec: tuple) -> tuple[MobileOneBlock, MobileOneBlock]:
    channels_in, channels_out, kernel, stride, groups, _, _, branches = spec
    folded = MobileOneBlock(
        channels_in, channels_out, kernel, stride=stride, groups=groups, num_conv_branches=branches
    ).double()
    randomise(folded)
    plain = copy.deepcopy(folded)
    set_folded_training(plain, enabled=False)
    return folded, plain


def network_of(metadata=METADATA):
    torch.manual_seed(0)
    network = metadata.build()
    randomise(network)
    # As in a trained network, maps keep their scale.
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.mul_(0.4)
    return network.eval()


def settled_network(metadata=GHOSTNET):
    """A fused network whose maps vary from face to face, as training leaves them."""
    torch.manual_seed(0)
    network = metadata.build().train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over batches
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.3)
    pictures = PREPROCESSING(synthetic_faces(32, size=96, seed=5).crops)
    with torch.no_grad():
        for _ in range(3):
            network(torch.from_numpy(pictures))
    regression = getattr(network.head, "regression", network.head)
    regression.weight.data.mul_(0.05)  # points some pixels apart
    return reparameterize(network.eval())


def predict_landmarks(network, crops, preprocessing):
    """Landmarks ``(N, L, 2)`` in fractions of the RGB crops ``(N, S, S, 3)``."""
    with torch.inference_mode():
        found = network.eval()(torch.from_numpy(preprocessing(crops)))
    return found.unflatten(1, (-1, 2)).numpy()
