"""Layer shapes of the four MLPerf Tiny networks, written down from their architectures."""

from __future__ import annotations

from itertools import pairwise

from gatewright.schedules.accelerator.timing.layers import LayerShape


def resnet8() -> list[LayerShape]:
    """Image classification, 32 x 32 x 3."""
    layers = [_conv("stem", 3, 32, 16, 3, 1)]
    size, channels = 32, 16
    for stack, outputs in enumerate((16, 32, 64)):
        stride = 1 if stack == 0 else 2
        layers.append(_conv(f"s{stack}a", channels, size, outputs, 3, stride))
        layers.append(_conv(f"s{stack}b", outputs, size // stride, outputs, 3, 1))
        if stride == 2:
            layers.append(_conv(f"s{stack}skip", channels, size, outputs, 1, 2))
        size, channels = size // stride, outputs
        layers.append(LayerShape(f"s{stack}add", "eltwise", channels, size, size, channels))
    layers.append(LayerShape("pool", "pool", 64, 8, 8, 64, (8, 8), (8, 8)))
    return [*layers, LayerShape("dense", "dense", 64, 1, 1, 10)]


def ds_cnn() -> list[LayerShape]:
    """Keyword spotting, 49 x 10 x 1."""
    layers = [LayerShape("stem", "conv", 1, 49, 10, 64, (10, 4), (2, 2), (4, 1, 5, 1))]
    for block in range(4):
        layers.append(LayerShape(f"dw{block}", "conv", 64, 25, 5, 64, (3, 3), (1, 1), (1, 1, 1, 1), groups=64))
        layers.append(LayerShape(f"pw{block}", "conv", 64, 25, 5, 64))
    layers.append(LayerShape("pool", "pool", 64, 25, 5, 64, (25, 5), (25, 5)))
    return [*layers, LayerShape("dense", "dense", 64, 1, 1, 12)]


def mobilenet() -> list[LayerShape]:
    """Visual wake words, MobileNetV1 0.25, 96 x 96 x 3."""
    layers = [_conv("stem", 3, 96, 8, 3, 2)]
    size, channels = 48, 8
    plan = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
    for block, (outputs, stride) in enumerate(plan):
        layers.append(_conv(f"dw{block}", channels, size, channels, 3, stride, groups=channels))
        size //= stride
        layers.append(LayerShape(f"pw{block}", "conv", channels, size, size, outputs))
        channels = outputs
    layers.append(LayerShape("pool", "pool", 256, 3, 3, 256, (3, 3), (3, 3)))
    return [*layers, LayerShape("dense", "dense", 256, 1, 1, 2)]


def autoencoder() -> list[LayerShape]:
    """Anomaly detection, 640 inputs."""
    widths = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
    return [LayerShape(f"fc{i}", "dense", a, 1, 1, b) for i, (a, b) in enumerate(pairwise(widths))]


def _conv(name: str, channels: int, size: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> LayerShape:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    before, after = total // 2, total - total // 2
    pads = (before, before, after, after)
    return LayerShape(
        name, "conv", channels, size, size, outputs, (kernel, kernel), (stride, stride), pads, groups=groups
    )
