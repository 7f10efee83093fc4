"""The few layers the example network needs, forward and backward, in NumPy: no training framework to install.

Every layer keeps what its backward pass needs from the last forward pass. Tensors are ``(N, C, H, W)`` float32.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Adam", "Conv", "Dense", "GlobalAveragePool", "Layer", "MaxPool", "Relu", "Residual", "Sequence"]

Array = npt.NDArray[np.float32]


class Layer(Protocol):
    """What the trainer calls."""

    def forward(self, x: Array) -> Array:
        """The layer's output."""
        ...

    def backward(self, grad: Array) -> Array:
        """Gradient of the input from the gradient of the output; fills the parameters' gradients."""
        ...

    def parameters(self) -> list[tuple[Array, Array]]:
        """(parameter, its gradient) pairs; both are changed in place."""
        ...


class Conv:
    """Same-padded convolution, stride 1; ``groups`` is 1, or the channel count (depthwise).

    Attributes:
        weight: (O, I/groups, K, K). bias: (O,).
    """

    def __init__(self, rng: np.random.Generator, inputs: int, outputs: int, kernel: int, groups: int = 1) -> None:
        fan_in = inputs // groups * kernel * kernel
        shape = (outputs, inputs // groups, kernel, kernel)
        self.weight = (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)  # He et al. 2015
        self.bias = np.zeros(outputs, np.float32)
        self.weight_grad, self.bias_grad = np.zeros_like(self.weight), np.zeros_like(self.bias)
        self.kernel, self.groups = kernel, groups

    def _windows(self, x: Array) -> Array:
        """(N, C, H, W) -> (N, C, H, W, K, K)."""
        p = self.kernel // 2
        padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        return np.lib.stride_tricks.sliding_window_view(padded, (self.kernel, self.kernel), axis=(2, 3))

    def forward(self, x: Array) -> Array:
        self.x = x
        form = "nchwuv,ocuv->nohw" if self.groups == 1 else "nchwuv,cuv->nchw"
        weight = self.weight if self.groups == 1 else self.weight[:, 0]
        y: Array = np.einsum(form, self._windows(x), weight, optimize=True)
        return y + self.bias[:, None, None]

    def backward(self, grad: Array) -> Array:
        self.bias_grad[:] = grad.sum(axis=(0, 2, 3))
        flipped = self.weight[:, :, ::-1, ::-1]
        dx: Array
        if self.groups == 1:
            self.weight_grad[:] = np.einsum("nchwuv,nohw->ocuv", self._windows(self.x), grad, optimize=True)
            dx = np.einsum("nohwuv,ocuv->nchw", self._windows(grad), flipped, optimize=True)
        else:
            self.weight_grad[:, 0] = np.einsum("nchwuv,nchw->cuv", self._windows(self.x), grad, optimize=True)
            dx = np.einsum("nchwuv,cuv->nchw", self._windows(grad), flipped[:, 0], optimize=True)
        return dx

    def parameters(self) -> list[tuple[Array, Array]]:
        return [(self.weight, self.weight_grad), (self.bias, self.bias_grad)]


class Dense:
    """``y = x @ weight.T + bias`` with weight (O, K)."""

    def __init__(self, rng: np.random.Generator, inputs: int, outputs: int) -> None:
        self.weight = (rng.standard_normal((outputs, inputs)) * np.sqrt(1 / inputs)).astype(np.float32)
        self.bias = np.zeros(outputs, np.float32)
        self.weight_grad, self.bias_grad = np.zeros_like(self.weight), np.zeros_like(self.bias)

    def forward(self, x: Array) -> Array:
        self.x = x
        return x @ self.weight.T + self.bias

    def backward(self, grad: Array) -> Array:
        self.weight_grad[:] = grad.T @ self.x
        self.bias_grad[:] = grad.sum(axis=0)
        return grad @ self.weight

    def parameters(self) -> list[tuple[Array, Array]]:
        return [(self.weight, self.weight_grad), (self.bias, self.bias_grad)]


class Relu:
    """max(x, 0)."""

    def forward(self, x: Array) -> Array:
        self.positive = x > 0
        return x * self.positive

    def backward(self, grad: Array) -> Array:
        return grad * self.positive

    def parameters(self) -> list[tuple[Array, Array]]:
        return []


class MaxPool:
    """2x2 maximum, stride 2, of even-sized maps; the gradient is shared by equal maxima."""

    def forward(self, x: Array) -> Array:
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2)
        y: Array = blocks.max(axis=(3, 5))
        self.mask = blocks == y[:, :, :, None, :, None]
        self.shape = x.shape
        return y

    def backward(self, grad: Array) -> Array:
        share = self.mask / self.mask.sum(axis=(3, 5), keepdims=True)
        spread: Array = (grad[:, :, :, None, :, None] * share).astype(np.float32)
        return spread.reshape(self.shape)

    def parameters(self) -> list[tuple[Array, Array]]:
        return []


class GlobalAveragePool:
    """(N, C, H, W) -> (N, C)."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        y: Array = x.mean(axis=(2, 3))
        return y

    def backward(self, grad: Array) -> Array:
        area = self.shape[2] * self.shape[3]
        return np.broadcast_to(grad[:, :, None, None] / np.float32(area), self.shape)

    def parameters(self) -> list[tuple[Array, Array]]:
        return []


class Sequence:
    """Layers one after another."""

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad: Array) -> Array:
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad

    def parameters(self) -> list[tuple[Array, Array]]:
        return [pair for layer in self.layers for pair in layer.parameters()]


class Residual(Sequence):
    """``x + layers(x)``."""

    def forward(self, x: Array) -> Array:
        return x + super().forward(x)

    def backward(self, grad: Array) -> Array:
        return grad + super().backward(grad)


class Adam:
    """Adam (Kingma and Ba 2015) with the usual constants."""

    def __init__(self, parameters: list[tuple[Array, Array]]) -> None:
        self.parameters = parameters
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p, _ in parameters]
        self.steps = 0

    def step(self, rate: float) -> None:
        """Move every parameter against its gradient."""
        self.steps += 1
        scale = rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for (parameter, grad), (first, second) in zip(self.parameters, self.moments, strict=True):
            first += 0.1 * (grad - first)
            second += 0.001 * (grad * grad - second)
            parameter -= (scale * first / (np.sqrt(second) + 1e-8)).astype(np.float32)
