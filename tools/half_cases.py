"""How far nets with maps and their gradients stored as f16 are from f64, when all is computed in f32. Writes test/fixtures/models/half.json:
for each net and each tensor of NAME.json the median (`typical`) and the worst (`worst`) of several inputs that differ in their last bits.

A map is what a convolution, a linear layer, a ReLU or a pooling gives; weights of products are rounded too, sums, norms and the
gradients of parameters are not.
"""
import contextlib
import os
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from model_cases import FOLDER, NUDGES, ZERO, run_net
from nets import FCNN, small_densenet_extractor
from oracle import relative, write_json

# So that no gradient is smaller than f16 has: what a loss scale does.
SCALE = 4096.0


class Stored(torch.autograd.Function):
    @staticmethod
    def forward(_, x):
        return x.half().float()

    @staticmethod
    def backward(_, gradient):
        return (SCALE * gradient).half().float() / SCALE


def storing(function, weights=False):
    def call(x, *more, **options):
        if weights:
            more = (more[0].half().float() if not more[0].requires_grad else Rounded.apply(more[0]), *more[1:])
        return Stored.apply(function(x, *more, **options))
    return call


class Rounded(torch.autograd.Function):
    """A weight as a product sees it; its gradient stays f32."""

    @staticmethod
    def forward(_, x):
        return x.half().float()

    @staticmethod
    def backward(_, gradient):
        return gradient


@contextlib.contextmanager
def halves():
    with contextlib.ExitStack() as stack:
        for name, weights in (('conv2d', True), ('linear', True), ('relu', False), ('max_pool2d', False), ('avg_pool2d', False)):
            stack.enter_context(mock.patch.object(F, name, storing(getattr(F, name), weights)))
        yield


def rows_of(make, seed, shape):
    exact = run_net(make, seed, shape, torch.float64)
    with halves():
        singles = [run_net(make, seed, shape, torch.float32, nudge) for nudge in range(2 * NUDGES)]
    rows = {}
    for key, value in exact.items():
        zero = np.linalg.norm(value) < ZERO
        distances = [np.linalg.norm(single[key]) if zero else relative(single[key], value) for single in singles]
        rows[key] = {'worst': float(f'{max(distances):.3g}'), 'typical': float(f'{np.median(distances):.3g}')}
    for kind in ('eval', 'train', 'grad', 'stat'):
        chosen = [row for key, row in rows.items() if key.startswith(kind)]
        print(f'{seed} {kind}: f16 distance median {np.median([row["typical"] for row in chosen]):.2g}, '
              f'worst {max(row["worst"] for row in chosen):.2g}')
    return rows


if __name__ == '__main__':
    nets = {'fcnn': (lambda: FCNN(512, dropout=0.0), 'fcnn_f', (2, 6, 128, 39)),
            'densenet_small': (small_densenet_extractor, 'densenet_small', (3, 3, 32, 32))}
    cases = [{'net': name, 'tensors': rows_of(*net)} for name, net in nets.items()]
    write_json(os.path.join(FOLDER, 'half.json'), {'torch': torch.__version__}, 'nets', cases)
