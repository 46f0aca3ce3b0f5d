"""The training step of train_step.h5: one Johnson step with all four losses, its gradients, and ten Adam steps.

Losses, y the output picture and x the photo, G = F^T F / (H*W*C) per picture, means over the batch as well:
    style    sum over layers of mean over C*C of (G(y) - G(style))^2, the style picture at its own size
    content  sum over layers of mean over C*H*W of (F(y) - F(x))^2;  depth the same on the depth network
    tv       mean of squared horizontal differences + mean of squared vertical differences of y
weighted = weight * raw, total = sum of the weighted terms. The four terms keep the order of TERMS.

Layout of the file (P = name of a parameter of the transform network, such as res1.norm2.beta):
    output (B,H,W,3), output_fp32_nmse (1)           output picture for photo0
    layer_terms/{style,content,depth,tv}             raw terms per layer, in the order of the constants below
    raw (4), weighted (4), total (1)                 the losses
    grad_output (B,H,W,3), grad_output_fp32_nmse (1) gradient of the total with respect to the output picture
    grad_output_norms (5)                            L2 norms of that of each weighted term, then of the total
    grad/P (KRSC or C), grad_fp32_nmse/P (1)         gradient of the total with respect to each parameter
    adam/<lr>/raw_fp64 (10,4)                        raw terms before each of ten Adam steps on photo0 .. photo9,
    adam/<lr>/total_fp64 (10)                        and totals, of a float64 run
    adam/<lr>/raw_fp32_deviation (10,4)              largest relative deviation of float32 runs from the float64 run,
                                                     over the instruction sets and thread counts of FP32_RUNS

Two things to know when comparing:
  * The gradient of res{i}.norm2.beta is exactly zero: under reflection padding it adds a constant per channel, which
    the next instance norms remove. What any program computes for it is rounding noise, and Adam turns noise into full
    steps, which again change nothing.
  * Adam's first steps are about lr * sign(gradient), so at lr = 1e-3 so small a network amplifies rounding several
    times per step: PyTorch's own totals differ by 1e-2 after ten. At 1e-4 they differ by 1e-4: compare that run tightly.
"""
import itertools
import json
import os
import subprocess
import sys

import numpy as np
import torch

import hash_values
import nets

WIDTH, BLOCKS, BATCH, SIZE, STYLE_SIZE, STEPS = 8, 2, 2, 32, (40, 36), 10
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYERS = ("relu4_2",)
DEPTH_LAYERS = ("up_8x", "up_16x", "prediction")
TERMS = ("style", "content", "depth", "tv")
WEIGHTS = {"style": 1e2, "content": 7.5, "depth": 1e2, "tv": 2e2}
LEARNING_RATES = ("1e-3", "1e-4")
# What decides the order of PyTorch's float32 sums. One process each, since both are read at the start.
FP32_RUNS = list(itertools.product(("default", "avx2", "avx512"), ("SSE41", "AVX2", "ALL"), (1, 2, 3)))


def gram(features):
    n, c, h, w = features.shape
    flat = features.reshape(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (h * w * c)


class Step:
    def __init__(self, dtype):
        self.dtype = dtype
        self.transform = nets.Params(hash_values.SEED_TRANSFORM, dtype, hash_values.train_step_rule, requires_grad=True)
        self.vgg = nets.Params(hash_values.SEED_VGG, dtype, hash_values.train_step_rule)
        self.resnet = nets.Params(hash_values.SEED_RESNET, dtype, hash_values.train_step_rule)
        with torch.no_grad():
            style = self.vgg_features(self.picture("style", 1, *STYLE_SIZE))
            self.style_grams = [gram(style[layer]) for layer in STYLE_LAYERS]

    def picture(self, name, n, h, w):
        return nets.nchw(hash_values.picture(name, n, h, w), self.dtype)

    def photo(self, step):
        return self.picture(f"photo{step}", BATCH, SIZE, SIZE)

    def vgg_features(self, x):
        return nets.vgg(self.vgg, x, 19, WIDTH, last="relu5_1")

    def depth_features(self, x):
        return nets.resnet_upproj(self.resnet, x, WIDTH, "nyu")

    def output(self, photo):
        return nets.transform_net(self.transform, photo, WIDTH, BLOCKS)

    def layer_terms(self, y, photo):
        """Raw terms per layer: {term: [one scalar per layer]}."""
        with torch.no_grad():
            target_vgg, target_depth = self.vgg_features(photo), self.depth_features(photo)
        vgg, depth = self.vgg_features(y), self.depth_features(y)
        mse = torch.nn.functional.mse_loss
        return {
            "style": [((gram(vgg[layer]) - target) ** 2).mean() for layer, target in zip(STYLE_LAYERS, self.style_grams)],
            "content": [mse(vgg[layer], target_vgg[layer]) for layer in CONTENT_LAYERS],
            "depth": [mse(depth[layer], target_depth[layer]) for layer in DEPTH_LAYERS],
            "tv": [((y[..., 1:] - y[..., :-1]) ** 2).mean() + ((y[..., 1:, :] - y[..., :-1, :]) ** 2).mean()],
        }


def raw_terms(layers):
    return {term: sum(values) for term, values in layers.items()}


def total(raw):
    return sum(WEIGHTS[term] * value for term, value in raw.items())


def gradients(dtype):
    """Output picture, per-layer terms and all gradients of the first step."""
    step = Step(dtype)
    y = step.output(step.photo(0))
    y.retain_grad()
    layers = step.layer_terms(y, step.photo(0))
    raw = raw_terms(layers)
    norms = [torch.autograd.grad(WEIGHTS[term] * raw[term], y, retain_graph=True)[0].norm().item() for term in TERMS]
    loss = total(raw)
    loss.backward()
    norms.append(y.grad.norm().item())
    return step, y, layers, raw, loss, norms


def adam_losses(dtype, lr):
    """Raw terms (STEPS, 4) and totals (STEPS) before each of STEPS Adam steps."""
    step = Step(dtype)
    step.output(step.photo(0))  # makes the parameters
    optimizer = torch.optim.Adam(step.transform.values(), lr=lr, betas=(0.9, 0.999), eps=1e-8)
    raws, totals = [], []
    for i in range(STEPS):
        photo = step.photo(i)
        raw = raw_terms(step.layer_terms(step.output(photo), photo))
        loss = total(raw)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        raws.append([raw[term].item() for term in TERMS])
        totals.append(loss.item())
    return np.array(raws), np.array(totals)


def fp32_deviation(lr, exact):
    """Largest relative deviation (STEPS, 4) of float32 runs under all FP32_RUNS from the float64 terms."""
    worst = np.zeros_like(exact)
    for aten, onednn, threads in FP32_RUNS:
        environment = {**os.environ, "ATEN_CPU_CAPABILITY": aten, "ONEDNN_MAX_CPU_ISA": onednn}
        command = [sys.executable, __file__, lr, str(threads)]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        raw = np.array(json.loads(done.stdout))
        worst = np.maximum(worst, np.abs(raw - exact) / np.abs(exact))
    return worst


def nmse(exact, approximate):
    exact = exact.detach().double()
    return ((approximate.detach().double() - exact).norm() / exact.norm()).item() ** 2


def make(file):
    step, y, layers, raw, loss, norms = gradients(torch.float64)
    step32, y32 = gradients(torch.float32)[:2]
    file["output"] = nets.nhwc(y).float().numpy()
    file["output_fp32_nmse"] = [nmse(y, y32)]
    for term in TERMS:
        file[f"layer_terms/{term}"] = [value.item() for value in layers[term]]
    file["raw"] = [raw[term].item() for term in TERMS]
    file["weighted"] = [WEIGHTS[term] * raw[term].item() for term in TERMS]
    file["total"] = [loss.item()]
    file["grad_output"] = nets.nhwc(y.grad).float().numpy()
    file["grad_output_fp32_nmse"] = [nmse(y.grad, y32.grad)]
    file["grad_output_norms"] = norms
    for name, parameter in step.transform.items():
        file[f"grad/{name}"] = parameter.grad.float().numpy()
        file[f"grad_fp32_nmse/{name}"] = [nmse(parameter.grad, step32.transform[name].grad)]
    for lr in LEARNING_RATES:
        raw, totals = adam_losses(torch.float64, float(lr))
        file[f"adam/{lr}/raw_fp64"], file[f"adam/{lr}/total_fp64"] = raw, totals
        file[f"adam/{lr}/raw_fp32_deviation"] = fp32_deviation(lr, raw)
    file.attrs["terms"] = " ".join(TERMS)
    file.attrs["about"] = (
        f"transform net width {WIDTH}, {BLOCKS} residual blocks, nearest, reflect, linear; photo0..photo{STEPS - 1} "
        f"({BATCH},{SIZE},{SIZE},3), style (1,{STYLE_SIZE[0]},{STYLE_SIZE[1]},3); vgg19 and resnet_upproj (nyu) of width {WIDTH}; "
        "values from hash_values.train_step_rule; order of terms in `terms`, norms end with that of the total")


if __name__ == "__main__":  # a float32 run of its own: train_step.py LEARNING_RATE THREADS
    torch.set_num_threads(int(sys.argv[2]))
    print(json.dumps(adam_losses(torch.float32, float(sys.argv[1]))[0].tolist()))
