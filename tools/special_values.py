"""What PyTorch f64 makes of NaN, infinities, zeros of both signs, subnormals and the largest numbers: the value and the gradient of
every op that could lose one of them. Writes test/fixtures/special_values.json, numbers rounded to f32.

`elementwise` cases take every value (of two operands: every pair) with each upstream gradient; the others are whole tensors.
"""
import itertools
import math
import os

import numpy as np
import torch
from op_reference import OPS
from oracle import write_json

PATH = os.path.join(os.path.dirname(__file__), '..', 'test', 'fixtures', 'special_values.json')
NAN, INF = math.nan, math.inf
VALUES = [NAN, INF, -INF, 0.0, -0.0, 1e-40, -1e-40, 3e38, -3e38, 1.0, -2.5, 0.75]
UPSTREAM = [1.5, INF, NAN]
ROWS = [
    [1, 2, -3, 0.5], [1, NAN, 2, -3], [NAN, 1, 2, NAN], [INF, 1, 2, 0], [1, -INF, 2, 0], [INF, INF, 1, 0], [-INF, -INF, -INF, -INF],
    [INF, -INF, 1, 2], [1, NAN, INF, -INF], [3e38, -3e38, 1, 2], [3e38, 3e38, 3e38, -2.5], [0.0, -0.0, -1, -2],
]


def unary_cases():
    for op in ('relu', 'sigmoid', 'tanh', 'exp', 'log', 'sqrt', 'neg', 'abs', 'square', 'reciprocal'):
        yield op, {}
    for slope in (0.1, 0, -0.5):
        yield 'leakyRelu', {'negativeSlope': slope}
    for limits in ({'min': -1}, {'max': 0.5}, {'min': -1, 'max': 0.5}, {'min': 0, 'max': 0}):
        yield 'clamp', limits
    for exponent in (0, 1, 2, 3, -1, -2, -3, 0.5, -0.5, 1.5, -2.5, 0.25, 65, -65, 66, 129):
        yield 'pow', {'exponent': exponent}


def binary_cases():
    for op in ('add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'eq', 'ne', 'lt', 'le', 'gt', 'ge'):
        yield op, {}


def small(rows):
    """Those whose sum does not overflow in f32, where it does not in f64."""
    return [row for row in rows if 3e38 not in row]


def wide(rows):
    """Rows as long as a workgroup takes one to itself."""
    return [row + [-2.5] * 66 for row in rows[:8]]


def row_cases():
    for rows in (ROWS, wide(ROWS)):
        for op in ('amax', 'amin', 'max', 'min', 'argmax', 'softmax', 'logSoftmax'):
            yield op, {'dim': 1}, [rows]
        for op in ('sum', 'mean'):
            yield op, {'dim': 1}, [small(rows)]
        for reduction in ('none', 'mean'):
            yield 'crossEntropy', {'reduction': reduction}, [rows, [1] * len(rows)]
        shares = [[0.5, 0.0, 0.25, 0.25] + [0.0] * (len(rows[0]) - 4)] * len(small(rows))
        yield 'crossEntropy', {'reduction': 'none'}, [small(rows), shares]
    for row in ROWS:
        for op in ('max', 'min'):
            yield op, {}, [row]
    image = [[[[row + [1, -1] for row in small(ROWS)]]]]
    for op in ('maxPool2d', 'avgPool2d'):
        yield op, {'kernelSize': 2, 'stride': 2}, image
        yield op, {'kernelSize': 3, 'stride': 1, 'padding': 1}, image
    for op in ('adaptiveMaxPool2d', 'adaptiveAvgPool2d'):
        yield op, {'size': [5, 3]}, image
    # A channel a kind of row, and as many positions as rows: NaN and infinities in one channel leave the others alone.
    channels = [[[row[:2], row[2:]] for row in ROWS[:6]], [[[0.5, -1], [2, 3]]] * 6]
    for training in (True, False):
        yield 'batchNorm2d', {'training': training}, [channels, [0.5] * 6, [2.0] * 6, [1.5] * 6, [0.25] * 6]
    for inner in (3, 4):
        yield 'matmul', {}, [[row[:inner] for row in ROWS], [[1, 2], [0.5, -1], [4, 3], [2, 1]][:inner]]


def flat(values):
    return torch.tensor(values, dtype=torch.float64)


def upstream(y):
    return (0.5 + 0.25 * (torch.arange(y.numel()) % 5)).to(y.dtype).reshape(y.shape)


def numbers(tensor):
    """JSON knows no NaN, infinity and no sign of zero."""
    if not tensor.is_floating_point():
        return tensor.reshape(-1).tolist()
    with np.errstate(over='ignore', under='ignore'):
        array = tensor.detach().numpy().astype(np.float32)
    return [float(str(v)) if math.isfinite(v) and (v != 0 or not np.signbit(v)) else str(v) for v in array.reshape(-1)]


def run(op, attrs, tensors, gradient_of, constant=()):
    wanted = [i for i, tensor in enumerate(tensors) if tensor.is_floating_point() and i not in constant]
    for i in wanted:
        tensors[i].requires_grad_(True)
    out = OPS[op](tensors, attrs)
    out = out if isinstance(out, dict) else {'out': out}
    results = {name: numbers(value) for name, value in out.items()}
    y = out['out']
    if y.requires_grad:
        grads = torch.autograd.grad(y, [tensors[i] for i in wanted], gradient_of(y))
        results.update({f'grad{i}': numbers(g) for i, g in zip(wanted, grads)})
    return results


def elementwise_cases():
    for arity, cases in ((1, unary_cases()), (2, binary_cases())):
        for op, attrs in cases:
            points = list(itertools.product(UPSTREAM[: 3 if arity == 1 else 2], *[VALUES] * arity))
            columns = [flat(column) for column in zip(*points)]
            yield {'op': op, 'attrs': attrs, 'elementwise': True, 'inputs': [numbers(c) for c in columns[1:]],
                   'shapes': [[len(points)]] * arity, 'dy': numbers(columns[0]),
                   **run(op, attrs, columns[1:], lambda y: columns[0])}


def whole_cases():
    for op, attrs, inputs in row_cases():
        tensors = [torch.tensor(x) if np.asarray(x).dtype.kind == 'i' and op == 'crossEntropy' else flat(x) for x in inputs]
        # Statistics that run along, and targets of a loss, have no gradient.
        constant = {'batchNorm2d': (1, 2), 'crossEntropy': (1,)}.get(op, ())
        case = {'op': op, 'attrs': attrs, 'elementwise': False, 'inputs': [numbers(t) for t in tensors],
                'shapes': [list(t.shape) for t in tensors]}
        results = run(op, attrs, tensors, upstream, constant)
        yield {**case, 'dy': numbers(upstream(torch.empty(len(results['out'])))), **results}


if __name__ == '__main__':
    cases = [*elementwise_cases(), *whole_cases()]
    write_json(PATH, {}, 'cases', cases)
    print(f'{len(cases)} cases, {os.path.getsize(PATH)} bytes')
