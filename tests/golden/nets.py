"""The three networks in plain PyTorch functions, over a dictionary of parameters with chiaro's names and layout (KRSC).

Activations are NCHW inside, as PyTorch wants them; nhwc() and nchw() convert at the borders. Each network returns a
dictionary {feature name: tensor}. Parameters are made on first use by the `Params` given, from their name and shape.
"""
import torch
import torch.nn.functional as F

import hash_values

VGG_MEAN = (123.68, 116.779, 103.939)
VGG_CONVS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
RESNET_BLOCKS = {2: "abc", 3: "abcd", 4: "abcdef", 5: "abc"}


def nchw(array, dtype=torch.float64):
    return torch.as_tensor(array).to(dtype).permute(0, 3, 1, 2)


def nhwc(x):
    return x.detach().permute(0, 2, 3, 1).contiguous()


class Params(dict):
    """Leaf tensors by name, made from the hash on first use."""

    def __init__(self, seed, dtype=torch.float64, rule=hash_values.rule, requires_grad=False):
        super().__init__()
        self.seed, self.dtype, self.rule, self.requires_grad = seed, dtype, rule, requires_grad

    def get(self, name, shape):
        if name not in self:
            values = torch.from_numpy(hash_values.tensor(name, shape, self.seed, self.rule))
            self[name] = values.to(self.dtype).requires_grad_(self.requires_grad)
        assert tuple(self[name].shape) == tuple(shape), name
        return self[name]

    def oihw(self, name, k, r, s, c):
        return self.get(name + ".weight", (k, r, s, c)).permute(0, 3, 1, 2)

    def bias(self, name, k):
        return self.get(name + ".bias", (k,))


def transform_net(p, x, width, residual_blocks, upsample="nearest", padding="reflect", output="linear"):
    """pytorch/examples' TransformerNet without the convolution biases that its instance norms cancel."""

    def norm(x, name):
        c = x.shape[1]
        return F.instance_norm(x, weight=p.get(name + ".gamma", (c,)), bias=p.get(name + ".beta", (c,)), eps=1e-5)

    def conv(x, name, k, size, stride=1, bias=None):
        border = [size // 2] * 4
        x = F.pad(x, border, mode="reflect") if padding == "reflect" else F.pad(x, border)
        return F.conv2d(x, p.oihw(name, k, size, size, x.shape[1]), bias, stride)

    def up(x, name, k):
        if upsample == "nearest":
            return conv(F.interpolate(x, scale_factor=2, mode="nearest"), name, k, 3)
        # Stored as KRSC of the forward convolution whose data gradient this is: (C_in, R, S, C_out).
        weight = p.oihw(name, x.shape[1], 3, 3, k)
        return F.conv_transpose2d(x, weight, stride=2, padding=1, output_padding=1)

    h, w = x.shape[2:]
    x = F.pad(x, (0, -w % 4, 0, -h % 4), mode="reflect")
    x = F.relu(norm(conv(x, "conv1", width, 9), "norm1"))
    x = F.relu(norm(conv(x, "conv2", 2 * width, 3, 2), "norm2"))
    x = F.relu(norm(conv(x, "conv3", 4 * width, 3, 2), "norm3"))
    for i in range(1, residual_blocks + 1):
        y = F.relu(norm(conv(x, f"res{i}.conv1", 4 * width, 3), f"res{i}.norm1"))
        x = x + norm(conv(y, f"res{i}.conv2", 4 * width, 3), f"res{i}.norm2")
    x = F.relu(norm(up(x, "up1", 2 * width), "norm4"))
    x = F.relu(norm(up(x, "up2", width), "norm5"))
    x = conv(x, "out", 3, 9, bias=p.bias("out", 3))
    if output == "tanh150":
        x = 150 * torch.tanh(x) + 127.5
    return x[:, :, :h, :w]


def vgg(p, x, depth, width=64, last=None):
    """x: RGB 0..255. Features relu{block}_{i} and pool{block}, up to and including `last`."""
    features = {}
    x = x - torch.tensor(VGG_MEAN, dtype=x.dtype).reshape(1, 3, 1, 1)
    for block, convs in enumerate(VGG_CONVS[depth], start=1):
        k = width * min(2 ** (block - 1), 8)
        for i in range(1, convs + 1):
            name = f"conv{block}_{i}"
            x = F.relu(F.conv2d(x, p.oihw(name, k, 3, 3, x.shape[1]), p.bias(name, k), padding=1))
            features[f"relu{block}_{i}"] = x
            if last == f"relu{block}_{i}":
                return features
        x = features[f"pool{block}"] = F.max_pool2d(x, 2)
    return features


def pool_tf_same(x):
    """Max 3x3 stride 2 with TensorFlow's SAME padding by -inf: the odd pixel goes to the bottom and right."""

    def border(extent):
        total = max((-(-extent // 2) - 1) * 2 + 3 - extent, 0)
        return total // 2, total - total // 2

    h, w = x.shape[2:]
    return F.max_pool2d(F.pad(x, (*border(w), *border(h)), value=float("-inf")), 3, 2)


def resnet_upproj(p, x, width=64, padding="nyu", last_stage=5, running=None):
    """x: RGB 0..255 as it is. With last_stage=4 `layer1` reads res4f. Its output has 16*width channels either way.

    With `running`, an empty dictionary, it is the network in training: statistics of the batch, no biases before batch
    norms; the running statistics that one step leaves are put there."""
    training = running is not None

    def batch_norm(x, name):
        c = (x.shape[1],)
        mean, variance, scale, offset = (p.get(f"{name}.{key}", c) for key in ("mean", "variance", "scale", "offset"))
        if training:
            mean = running[f"{name}.mean"] = mean.detach().clone()
            variance = running[f"{name}.variance"] = variance.detach().clone()
        return F.batch_norm(x, mean, variance, scale, offset, training=training, momentum=0.1, eps=1e-4)

    def conv(x, name, k, size=1, stride=1, bias=False):
        weight = p.oihw(name, k, size, size, x.shape[1])
        bias = bias and (not training or name == "ConvPred")
        return F.conv2d(x, weight, p.bias(name, k) if bias else None, stride, padding=size // 2)

    def bottleneck(x, name, k, stride, project):
        y = F.relu(batch_norm(conv(x, f"res{name}_branch2a", k, 1, stride), f"bn{name}_branch2a"))
        y = F.relu(batch_norm(conv(y, f"res{name}_branch2b", k, 3), f"bn{name}_branch2b"))
        y = batch_norm(conv(y, f"res{name}_branch2c", 4 * k), f"bn{name}_branch2c")
        if project:
            x = batch_norm(conv(x, f"res{name}_branch1", 4 * k, 1, stride), f"bn{name}_branch1")
        return F.relu(x + y)

    def interleave(x, name, k):
        n, c, h, w = x.shape
        short = (1, 0) if padding == "nyu" else (0, 1)  # border before and after an even kernel extent
        out = x.new_empty(n, k, 2 * h, 2 * w)
        for letter, (r, s), (row, col) in (("A", (3, 3), (0, 0)), ("B", (2, 3), (1, 0)),
                                           ("C", (3, 2), (0, 1)), ("D", (2, 2), (1, 1))):
            rows, cols = ((1, 1) if extent == 3 else short for extent in (r, s))
            part = f"{name}_Conv{letter}"
            bias = None if training else p.bias(part, k)
            out[:, :, row::2, col::2] = F.conv2d(F.pad(x, (*cols, *rows)), p.oihw(part, k, r, s, c), bias)
        return out

    def up_project(x, scale, k):
        name = f"layer{scale}"
        y = F.relu(batch_norm(interleave(x, name + "_br1", k), name + "_br1_BN"))
        y = batch_norm(conv(y, name + "_Conv", k, 3, bias=True), name + "_BN")
        return F.relu(y + batch_norm(interleave(x, name + "_br2", k), name + "_br2_BN"))

    f = {}
    f["conv1"] = F.relu(batch_norm(conv(x, "conv1", width, 7, 2, bias=True), "bn_conv1"))
    x = f["pool1"] = pool_tf_same(f["conv1"])
    for stage in range(2, last_stage + 1):
        for block in RESNET_BLOCKS[stage]:
            first = block == "a"
            stride = 2 if first and stage > 2 else 1
            x = f[f"res{stage}{block}"] = bottleneck(x, f"{stage}{block}", width * 2 ** (stage - 2), stride, first)
    x = f["layer1"] = batch_norm(conv(x, "layer1", 16 * width, bias=True), "layer1_BN")
    for i, scale in enumerate(("2x", "4x", "8x", "16x")):
        x = f["up_" + scale] = up_project(x, scale, 8 * width // 2**i)
    f["prediction"] = F.relu(conv(x, "ConvPred", 1, 3, bias=True))
    return f
