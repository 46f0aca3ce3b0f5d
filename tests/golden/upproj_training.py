"""One training step of ResNet-UpProj for upproj_training.h5: training form, two pictures, berHu loss, all gradients.

berHu (Laina et al. 2016, equation 2) with d = prediction - target over the pixels whose target is above 0, and
c = 0.2 * max |d|, through which no gradient flows: the mean of |d| where |d| <= c, of (d^2 + c^2) / (2 c) elsewhere.

Layout of the file, per <variant>, whose attributes say which network and input size:
    prediction                       sampled tensor, see make_golden.py
    loss (1)
    gradients (P,1+16), gradients_fp32_nmse (P)     per parameter, in the order of their sorted names: L2 norm, samples
    running (S,1+16)                                per running statistic after the step, the same
Sample i of a tensor is its element i * 104729 % count in chiaro's layout.
"""
import numpy as np
import torch

import hash_values
import nets

SAMPLES, PRIME = 16, 104729


def depth(n, h, w):
    """Depths of 0 to 8 m with a quarter of them missing."""
    picture = hash_values.picture("depth", n, h, w)
    return np.where(picture[..., 1:2] < 64, np.float32(0), picture[..., :1] / np.float32(32))


def berhu(prediction, target):
    d = (prediction - target)[target > 0].abs()
    c = 0.2 * d.detach().max()
    return torch.where(d <= c, d, (d * d + c * c) / (2 * c)).mean()


def step(dtype, size, config):
    """Prediction, loss, {parameter: gradient}, {statistic: value after the step}."""
    params = nets.Params(hash_values.SEED_RESNET, dtype, requires_grad=True)
    running = {}
    photo = nets.nchw(hash_values.picture("photo", *size), dtype)
    prediction = nets.resnet_upproj(params, photo, running=running, **config)["prediction"]
    n, _, h, w = prediction.shape
    loss = berhu(prediction, nets.nchw(depth(n, h, w), dtype))
    loss.backward()
    gradients = {name: value.grad for name, value in params.items() if name not in running}
    return prediction, loss.item(), gradients, running


def summary(tensor):
    flat = tensor.detach().contiguous().flatten()
    indices = torch.arange(SAMPLES) * PRIME % flat.numel()
    return np.concatenate([[flat.norm().item()], flat[indices].numpy()]).astype(np.float32)
