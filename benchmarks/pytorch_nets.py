"""The networks of the PyTorch peer programs, as plain modules: what a careful PyTorch user would write."""
import json
import sys
import time

import torch
from torch import nn

import peer_program


class ConvLayer(nn.Sequential):
    def __init__(self, inputs, outputs, size, stride=1, upsample=False, bias=False):
        layers = [nn.Upsample(scale_factor=2, mode="nearest")] if upsample else []
        layers += [nn.ReflectionPad2d(size // 2), nn.Conv2d(inputs, outputs, size, stride, bias=bias)]
        super().__init__(*layers)


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            ConvLayer(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True), nn.ReLU(inplace=True),
            ConvLayer(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True))

    def forward(self, x):
        return x + self.body(x)


def transform_net(width=32, residual_blocks=5):
    """Johnson's network in the form of pytorch/examples; no convolution bias where an instance norm cancels it."""

    def block(*args, **options):
        return [ConvLayer(*args, **options), nn.InstanceNorm2d(args[1], affine=True), nn.ReLU(inplace=True)]

    w = width
    return nn.Sequential(
        *block(3, w, 9), *block(w, 2 * w, 3, 2), *block(2 * w, 4 * w, 3, 2),
        *(ResidualBlock(4 * w) for _ in range(residual_blocks)),
        *block(4 * w, 2 * w, 3, upsample=True), *block(2 * w, w, 3, upsample=True),
        ConvLayer(w, 3, 9, bias=True))


class OutputRange(nn.Module):
    def forward(self, x):
        return 150 * torch.tanh(x) + 127.5


def load_transform_net(path):
    """The network of a safetensors file that import_weights --as transform_net has written."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    architecture = json.loads(header.pop("__metadata__")["chiaro.architecture"])
    if (architecture["upsample"], architecture["padding"], architecture["norm_eps"]) != ("nearest", "reflect", 1e-5):
        raise SystemExit(f"{path}: the peers know networks with nearest upsampling, reflection padding, norm_eps 1e-5")

    def tensor(name):
        begin, end = header[name]["data_offsets"]
        return torch.frombuffer(data[begin:end], dtype=torch.float32).reshape(header[name]["shape"])

    net = transform_net(architecture["width"], architecture["residual_blocks"])
    names = [name for i in (1, 2, 3) for name in (f"conv{i}.conv2d", f"in{i}")]
    names += [f"res{i}.{name}" for i in range(1, architecture["residual_blocks"] + 1)
              for name in ("conv1.conv2d", "in1", "conv2.conv2d", "in2")]
    names += ["deconv1.conv2d", "in4", "deconv2.conv2d", "in5", "deconv3.conv2d"]
    layers = [layer for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.InstanceNorm2d))]
    for layer, name in zip(layers, names, strict=True):
        layer.load_state_dict({key: tensor(f"{name}.{key}") for key in layer.state_dict()})
    return nn.Sequential(net, OutputRange()) if architecture["output"] == "tanh150" else net


class Vgg19(nn.Module):
    """VGG-19 up to relu5_1 with fixed random weights (the time does not depend on them). Input RGB 0..255.

    features(x, last) returns {name: tensor} of the layers wanted and computes nothing beyond `last`.
    """

    CONVS = (2, 2, 4, 4, 1)
    CHANNELS = (64, 128, 256, 512, 512)

    def __init__(self, wanted):
        super().__init__()
        self.wanted = frozenset(wanted)
        self.register_buffer("mean", torch.tensor((123.68, 116.779, 103.939)).reshape(1, 3, 1, 1))
        self.convs = nn.ModuleDict()
        inputs = 3
        for block, (count, channels) in enumerate(zip(self.CONVS, self.CHANNELS), start=1):
            for i in range(1, count + 1):
                conv = self.convs[f"relu{block}_{i}"] = nn.Conv2d(inputs, channels, 3, padding=1)
                nn.init.kaiming_normal_(conv.weight)
                inputs = channels
        self.requires_grad_(False)

    def forward(self, x, last):
        features = {}
        x = x - self.mean
        for name, conv in self.convs.items():
            if name.endswith("_1") and name != "relu1_1":
                x = nn.functional.max_pool2d(x, 2)
            x = nn.functional.relu(conv(x), inplace=True)
            if name in self.wanted:
                features[name] = x
            if name == last:
                break
        return features


class Bottleneck(nn.Module):
    """ResNet's block with Caffe's stride; batch norms are folded into the convolutions, as chiaro folds them."""

    def __init__(self, inputs, inner, stride, project):
        super().__init__()
        self.a = nn.Conv2d(inputs, inner, 1, stride)
        self.b = nn.Conv2d(inner, inner, 3, padding=1)
        self.c = nn.Conv2d(inner, 4 * inner, 1)
        self.shortcut = nn.Conv2d(inputs, 4 * inner, 1, stride) if project else nn.Identity()

    def forward(self, x):
        y = nn.functional.relu(self.a(x), inplace=True)
        y = nn.functional.relu(self.b(y), inplace=True)
        return nn.functional.relu(self.c(y) + self.shortcut(x), inplace=True)


class UpProjection(nn.Module):
    """Laina et al.'s fast up-projection: four interleaved convolutions, which both branches share."""

    TAPS = ((3, 3), (3, 2), (2, 3), (2, 2))  # of the phases (0,0) (0,1) (1,0) (1,1)

    def __init__(self, inputs):
        super().__init__()
        self.phases = nn.ModuleList(nn.Conv2d(inputs, inputs, taps, padding=1) for taps in self.TAPS)
        self.conv = nn.Conv2d(inputs // 2, inputs // 2, 3, padding=1)

    def forward(self, x):
        height, width = x.shape[2:]
        # Two taps see the pixel before and their own: of the padded result the last row or column is not needed.
        phases = [conv(x)[:, :, :height, :width] for conv in self.phases]
        both = nn.functional.pixel_shuffle(torch.stack(phases, 2).flatten(1, 2), 2)
        first, second = both.chunk(2, 1)
        return nn.functional.relu(self.conv(nn.functional.relu(first)) + second, inplace=True)


class ResnetUpproj(nn.Module):
    """The depth network, published size, fixed random weights. forward(x) returns up_8x, up_16x and the prediction."""

    STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor((123.68, 116.779, 103.939)).reshape(1, 3, 1, 1))
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        blocks, channels = [], 64
        for stage, (count, inner) in enumerate(self.STAGES):
            for i in range(count):
                blocks.append(Bottleneck(channels, inner, 2 if stage > 0 and i == 0 else 1, i == 0))
                channels = 4 * inner
        self.blocks = nn.Sequential(*blocks)
        self.layer1 = nn.Conv2d(channels, channels // 2, 1)
        self.ups = nn.ModuleList(UpProjection(channels // 2 ** i) for i in range(1, 5))
        self.prediction = nn.Conv2d(channels // 32, 1, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(module.bias)
        with torch.no_grad():  # features stay of the order of 1
            self.conv1.weight.mul_(0.01)
            self.prediction.bias.fill_(2)
            for block in self.blocks:
                block.c.weight.mul_(0.25)
        self.requires_grad_(False)

    def forward(self, x):
        x = nn.functional.relu(self.conv1(x - self.mean), inplace=True)
        x = self.layer1(self.blocks(nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)))
        features = {}
        for name, up in zip(("up_2x", "up_4x", "up_8x", "up_16x"), self.ups):
            features[name] = x = up(x)
        return {"up_8x": features["up_8x"], "up_16x": x,
                "prediction": nn.functional.relu(self.prediction(x), inplace=True)}


def add_common_options(parser):
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("fp32", "tf32", "bf16"), default="fp32")
    parser.add_argument("--format", choices=("nchw", "channels_last"), default="nchw")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--compile-mode", default="default", help="its mode, for example reduce-overhead")
    peer_program.add_options(parser)
    parser.add_argument("--seed", type=int, default=1)


def prepare(parser, options):
    """Checks the options and sets what is global in PyTorch. fp32 on a GPU is strict; bf16 allows TF32 beside it."""
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch sees no GPU")
    if options.precision == "tf32" and options.device == "cpu":
        parser.error("--precision tf32 exists on a GPU only")
    if options.on_request and options.device == "cuda":
        parser.error("--on-request is for the CPU")
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    if options.device == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = options.precision != "fp32"


def compiled(options, work):
    return torch.compile(work, mode=options.compile_mode) if options.compile else work


def frozen(options, network):
    """A network that is not trained. On a GPU in bf16 its weights are kept so: autocast would cast them at every use."""
    network = network.to(options.device, memory_format=memory_format(options))
    return network.to(torch.bfloat16) if options.device == "cuda" and options.precision == "bf16" else network


def memory_format(options):
    return torch.channels_last if options.format == "channels_last" else torch.contiguous_format


def autocast(options, enabled=True):
    # The cache of cast weights cannot be traced; a frozen network folds the casts instead.
    cache = not getattr(options, "jit", False)
    enabled = enabled and options.precision == "bf16"
    return torch.autocast(options.device, dtype=torch.bfloat16, enabled=enabled, cache_enabled=cache)


def synchronize(options):
    if options.device == "cuda":
        torch.cuda.synchronize()


def measure(options, work, warmup, repetitions, together=1):
    """Seconds of each call of work(), mean over `together` calls between two looks at the clock."""
    for _ in range(warmup):
        work()
    synchronize(options)
    seconds = []
    for _ in range(0, repetitions, together):
        start = time.perf_counter()
        for _ in range(together):
            work()
        synchronize(options)
        seconds.append((time.perf_counter() - start) / together)
    return seconds


def device_seconds(work, repetitions):
    """The same by events on the GPU."""
    seconds = []
    for _ in range(repetitions):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        seconds.append(1e-3 * start.elapsed_time(end))
    return seconds


def gpu_facts():
    """What is used on the GPU: by PyTorch's tensors at most, by its allocator, and by everything that runs there."""
    free, total = torch.cuda.mem_get_info()
    return {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
            "peak_allocated_mib": torch.cuda.max_memory_allocated() / 2 ** 20,
            "peak_reserved_mib": torch.cuda.max_memory_reserved() / 2 ** 20,
            "gpu_memory_in_use_mib": (total - free) / 2 ** 20}


def blas_library():
    """Path of the BLAS that PyTorch runs its fp32 matrix products on; none where it is built in (wheels: MKL)."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "blas" in line.rsplit("/", 1)[-1] and "numpy" not in line
                 and "cublas" not in line}
    return next(iter(sorted(paths)), None)


def print_result(options, seconds, **more):
    """One JSON object on standard output. `seconds` are the measured repetitions, warm-up left out."""
    blas = blas_library()
    if options.device == "cpu" and blas and "/blas/libblas.so" in blas:
        print(f"warning: {blas} is the slow reference BLAS, no fair peer: apt-get install libopenblas0-openmp",
              file=sys.stderr)
    if options.device == "cpu" and hasattr(torch.backends, "cpu"):
        more["cpu_capability"] = torch.backends.cpu.get_cpu_capability()
    peer_program.print_result(options, seconds, **more, torch=torch.__version__, blas=blas,
                              **(gpu_facts() if options.device == "cuda" else {}))
