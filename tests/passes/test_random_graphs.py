"""Random graphs through the whole pipeline: whatever is built, it computes the same afterwards."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from gatewright.compiler.floatgraph.relax_calls import tensor_type
from gatewright.compiler.passes.pipeline import simplify
from tests.passes.build import const, make, scalar

op = relax.op


class _Grower:
    """Adds random operators to a graph; every method takes a tensor and returns one."""

    def __init__(self, emit: Any, seed: int) -> None:
        self.emit = emit
        self.random = random.Random(seed)
        self.seed = seed

    def constant(self, *shape: int) -> Any:
        self.seed += 1
        return const(*shape, seed=self.seed)

    def shape(self, x: Any) -> tuple[int, ...]:
        return tensor_type(x)[0]

    def conv(self, x: Any) -> Any:
        _, c, h, w = self.shape(x)
        groups = self.random.choice([1, c])
        kernel = (self.random.randint(1, min(3, h)), self.random.randint(1, min(3, w)))
        pads = [self.random.randint(0, 1) for _ in range(4)]
        weight = self.constant(c * self.random.randint(1, 2), c // groups, *kernel)
        return op.nn.conv2d(x, op.multiply(weight, scalar(0.3)), padding=pads, groups=groups)

    def per_channel(self, x: Any) -> Any:
        c = self.shape(x)[1]
        shape = self.random.choice([(1, c, 1, 1), (c, 1, 1), (), (1,)])
        function = self.random.choice([op.add, op.multiply, op.subtract, op.divide, op.maximum, op.minimum])
        operands = [x, self.constant(*shape)]
        if self.random.random() < 0.2 and function is not op.divide:
            operands.reverse()
        return function(*operands)

    def per_pixel(self, x: Any) -> Any:
        return op.add(x, self.constant(*self.shape(x)[2:]))

    def batch_norm(self, x: Any) -> Any:
        c = self.shape(x)[1]
        variance = op.abs(self.constant(c))
        normal = op.nn.batch_norm(
            x, self.constant(c), self.constant(c), self.constant(c), self.emit(variance), 1, training=False
        )
        return relax.TupleGetItem(self.emit(normal), 0)

    def activation(self, x: Any) -> Any:
        return self.random.choice(
            [op.nn.relu, op.sigmoid, op.tanh, op.nn.silu, self.clip, lambda y: op.nn.leakyrelu(y)]
        )(x)

    def clip(self, x: Any) -> Any:
        low = self.random.choice([-1.0, 0.0, 0.25])
        return op.clip(x, tvm.tirx.FloatImm("float32", low), tvm.tirx.FloatImm("float32", low + 2))

    def transpose(self, x: Any) -> Any:
        axes = self.random.choice([(0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2), (0, 1, 2, 3)])
        return op.permute_dims(x, axes)

    def there_and_back(self, x: Any) -> Any:
        y = self.emit(op.permute_dims(x, (0, 2, 3, 1)))
        y = self.emit(op.add(self.emit(op.multiply(y, self.constant(self.shape(y)[3]))), scalar(0.5)))
        return op.permute_dims(y, (0, 3, 1, 2))

    def pad(self, x: Any) -> Any:
        value = self.random.choice([0.0, 0.0, 1.0])
        return op.nn.pad(x, [0, 0, *[self.random.randint(0, 1) for _ in range(6)]], "constant", value)

    def pool(self, x: Any) -> Any:
        kernel = (min(2, self.shape(x)[2]), min(2, self.shape(x)[3]))
        if self.random.random() < 0.5:
            return op.nn.max_pool2d(x, kernel, (1, 1), (0, 0, 1, 1) if kernel == (2, 2) else 0)
        return op.nn.avg_pool2d(x, kernel, (1, 1), count_include_pad=self.random.random() < 0.5)

    def reshape(self, x: Any) -> Any:
        n, c, h, w = self.shape(x)
        y = self.emit(op.reshape(x, (n, c * h, w)))
        return op.reshape(y, self.random.choice([(n, c, h, w), (n, c, h * w, 1), (n, c * h, 1, w)]))

    def slice(self, x: Any) -> Any:
        axis = self.random.choice([1, 2, 3])
        return op.strided_slice(x, [axis], [0], [self.random.choice([1, 99])], [self.random.choice([1, 2])])

    def quantize(self, x: Any) -> Any:
        c = self.shape(x)[1]
        if self.random.random() < 0.5:
            scale, zero = scalar(0.5**5), scalar(3, "int8")
        else:
            scale = relax.const(np.linspace(0.02, 0.1, c).astype(np.float32))
            zero = relax.const(np.arange(c).astype(np.int8))
        return op.dequantize(self.emit(op.quantize(x, scale, zero, 1, "int8")), scale, zero, 1)

    def residual(self, x: Any) -> Any:
        return op.add(x, self.emit(op.nn.relu(self.emit(op.multiply(x, self.constant(1, self.shape(x)[1], 1, 1))))))

    def branch(self, x: Any) -> Any:
        return op.concat([x, self.emit(self.activation(x)), self.emit(self.per_channel(x))], 1)

    def twice(self, x: Any) -> Any:
        return op.multiply(self.emit(op.tanh(x)), self.emit(op.tanh(x)))

    def head(self, x: Any) -> Any:
        kind = self.random.randrange(3)
        n, c, h, w = self.shape(x)
        if kind == 0:
            return op.mean(x, [2, 3])
        if kind == 1:
            x = self.emit(op.permute_dims(x, (0, 2, 3, 1)))
        flat = self.emit(op.reshape(x, (n, c * h * w)))
        product = self.emit(op.matmul(flat, self.constant(c * h * w, 3)))
        return op.add(product, self.constant(*self.random.choice([(3,), (1, 3)])))


_STEPS = tuple(name for name in vars(_Grower) if name not in ("constant", "shape", "clip", "head") and name[0] != "_")


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(_STEPS), min_size=1, max_size=9),
    st.integers(0, 10**6),
    st.tuples(*[st.integers(1, n) for n in (2, 3, 4, 4)]),
)
def test_random_graph(steps: list[str], seed: int, shape: tuple[int, ...]) -> None:
    def body(emit: Any, x: Any) -> Any:
        grower = _Grower(emit, seed)
        y = x
        outputs = []
        for name in steps:
            y = emit(getattr(grower, name)(y))
            if grower.random.random() < 0.15:
                outputs.append(y)
        return [*outputs, y, emit(grower.head(y))]

    before = make(body, shape)
    after, records = simplify(before, validate=True)
    assert len(records) < 100, "the passes never settle"
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
