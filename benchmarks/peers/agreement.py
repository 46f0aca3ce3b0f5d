"""Whether the candidates compute the same: their results for one picture, before anything is timed."""
import numpy as np

# Of 255. In fp32 a few times what was seen with the network that comes with chiaro: OpenVINO differs from the others by
# up to 0.02 at 512x512 and 0.32 at 1024x1024 (mean 0.03), the others among themselves by 0.002.
# bf16 keeps 8 bits of every number, through sixteen convolutions.
LIMITS = {"fp32": {"largest": 2.0, "mean": 0.2}, "bf16": {"largest": 40.0, "mean": 2.0}}
ROUNDING = {"largest": 1.0, "mean": 0.02}  # what bytes may differ by on top

# Relative, between the ways to run PyTorch's training step.
LOSS = {"fp32": 1e-4, "bf16": 1e-3}


def load(path, size):
    """A result as (1, 3, size, size), and whether it was bytes."""
    if path.suffix == ".npy":
        return np.load(path), False
    return np.fromfile(path, np.uint8).reshape(1, size, size, 3).transpose(0, 3, 1, 2).astype(np.float32), True


def compare(result, is_bytes, reference, precision):
    """(largest difference, mean difference, agrees)"""
    if is_bytes:
        reference = np.clip(np.rint(reference), 0, 255)
    difference = np.abs(result - reference)
    limits = {key: limit + (ROUNDING[key] if is_bytes else 0) for key, limit in LIMITS[precision].items()}
    largest, mean = float(difference.max()), float(difference.mean())
    return largest, mean, result.shape == reference.shape and largest <= limits["largest"] and mean <= limits["mean"]
