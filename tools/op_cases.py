"""Random cases of every op: inputs by hash name, expected results from PyTorch f64. Writes test/fixtures/ops."""
import os
import random

import torch
from hash import values
from op_reference import evaluate
from oracle import relative, stored, write_json, write_safetensors

FOLDER = os.path.join(os.path.dirname(__file__), '..', 'test', 'fixtures', 'ops')
# Sizes at and around the edges of tiles and vectors.
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 70]


def take(shape, kind='uniform', grad=True, scale=1.0):
    spec = {'shape': list(shape), 'kind': kind}
    if grad:
        spec['grad'] = True
    if scale != 1:
        spec['scale'] = scale
    return spec


def fixed(shape, kind='uniform', scale=1.0):
    return take(shape, kind, grad=False, scale=scale)


def shape_of(r, rank, largest=9):
    return [r.randint(1, largest) for _ in range(rank)]


def matmul_cases(r):
    sizes = SIZES + [100, 127, 129]
    for i in range(24):
        m, k, n = (r.choice(sizes) for _ in range(3))
        ta, tb = r.random() < 0.5, r.random() < 0.5
        batch_a, batch_b = [([], []), ([3], [3]), ([2, 3], [2, 3]), ([4], []), ([2, 1], [3])][i % 5]
        a, b = batch_a + ([k, m] if ta else [m, k]), batch_b + ([n, k] if tb else [k, n])
        yield 'matmul', {'transposeA': ta, 'transposeB': tb}, [take(a), take(b)]
    for m, k, n in [(1, 1, 1), (1, 1500, 1), (3, 1500, 5), (130, 2, 130), (1, 70, 200), (257, 9, 3)]:
        yield 'matmul', {}, [take([m, k]), take([k, n])]


def linear_cases(r):
    for i in range(12):
        lead = [[r.randint(1, 9)], [2, r.randint(1, 9)], [2, 3, 4]][i % 3]
        inputs, outputs = r.choice(SIZES), r.choice(SIZES)
        bias = [take([outputs])] if i % 4 else []
        yield 'linear', {}, [take(lead + [inputs]), take([outputs, inputs])] + bias


def conv_case(batch, cin, cout, size, kernel, bias=True, **attrs):
    groups = attrs.get('groups', 1)
    inputs = [take([batch, cin, *size]), take([cout, cin // groups, *kernel])]
    return 'conv2d', attrs, inputs + ([take([cout])] if bias else [])


def conv_cases(r):
    yield conv_case(1, 1, 1, (1, 1), (1, 1), bias=False)
    yield conv_case(2, 3, 8, (17, 19), (7, 7), stride=2, padding=3, bias=False)
    yield conv_case(2, 6, 16, (20, 13), (5, 5), stride=2, padding=2, bias=False)
    yield conv_case(1, 3, 5, (9, 9), (3, 5), stride=[2, 1], padding=[0, 2], dilation=[1, 2])
    yield conv_case(2, 4, 6, (12, 11), (2, 2), stride=2)
    yield conv_case(1, 2, 3, (10, 10), (1, 1), stride=3)
    yield conv_case(1, 2, 3, (6, 7), (1, 1), padding=2)
    yield conv_case(1, 2, 3, (5, 5), (3, 3), stride=4, padding=1)
    yield conv_case(3, 5, 4, (1, 9), (1, 3), padding=[0, 1])
    yield conv_case(1, 4, 4, (11, 11), (3, 3), padding=4, dilation=4)
    for cin, cout in [(1, 65), (65, 1), (33, 17), (64, 64), (70, 48), (48, 31), (16, 70)]:
        yield conv_case(1, cin, cout, (5, 6), (3, 3), padding=1, bias=False)
        yield conv_case(2, cin, cout, (4, 7), (1, 1))
    for channels, multiplier in [(1, 1), (5, 1), (16, 1), (7, 2), (33, 1)]:
        yield conv_case(2, channels, channels * multiplier, (7, 6), (3, 3), padding=1, groups=channels)
    for groups, cin, cout in [(2, 4, 6), (3, 9, 12), (4, 32, 64), (2, 66, 34)]:
        yield conv_case(2, cin, cout, (6, 5), (3, 3), padding=1, stride=r.choice([1, 2]), groups=groups)
        yield conv_case(1, cin, cout, (5, 5), (1, 1), groups=groups, bias=False)
    for _ in range(40):
        groups = r.choice([1, 1, 1, 2, 3])
        cin, cout = groups * r.randint(1, 24), groups * r.randint(1, 24)
        kernel = (r.randint(1, 5), r.randint(1, 5))
        attrs = {'stride': [r.randint(1, 3), r.randint(1, 3)], 'padding': [r.randint(0, 3), r.randint(0, 3)],
                 'dilation': [r.randint(1, 2), r.randint(1, 2)], 'groups': groups}
        # The smallest image that the dilated kernel fits, plus some.
        size = [max(1, d * (k - 1) + 1 - 2 * p) + r.randint(0, 9)
                for k, p, d in zip(kernel, attrs['padding'], attrs['dilation'])]
        yield conv_case(r.randint(1, 4), cin, cout, size, kernel, bias=r.random() < 0.6, **attrs)


def norm_cases(r):
    for i in range(28):
        channels = 3 if i == 8 else r.choice(SIZES)
        training, affine = i % 2 == 0, i % 3 != 0
        shape = [r.randint(2, 5), channels, r.randint(2, 9), r.randint(1, 9)]
        if i % 7 == 6:
            shape = [r.randint(4, 40), channels]
        if i == 8:
            shape[2:] = [40, 41]
        attrs = {'training': training, 'momentum': r.choice([0.1, 0.01]), 'eps': r.choice([1e-5, 1e-3])}
        # An offset far larger than the standard deviation, which E[x^2] - E[x]^2 gets wrong.
        kind, scale = r.choice([('uniform', 1.0), ('normal', 1.0), ('positive', 30.0), ('halfZero', 1.0)])
        inputs = [take(shape, kind, scale=scale), fixed([channels]), fixed([channels], 'positive')]
        yield 'batchNorm2d', attrs, inputs + ([take([channels]), take([channels])] if affine else [])


def pool_cases(r):
    yield 'maxPool2d', {'kernelSize': 2}, [take([2, 3, 16, 13], 'halfZero')]
    yield 'maxPool2d', {'kernelSize': 3, 'stride': 2, 'padding': 1}, [take([2, 5, 15, 16], 'halfZero')]
    yield 'avgPool2d', {'kernelSize': 2, 'stride': 2}, [take([2, 5, 14, 14])]
    for i in range(40):
        kernel = [r.randint(1, 4), r.randint(1, 4)]
        attrs = {'kernelSize': kernel, 'stride': [r.randint(1, 3), r.randint(1, 3)],
                 'padding': [r.randint(0, k // 2) for k in kernel], 'ceilMode': r.random() < 0.5}
        reach = kernel
        if i % 2:
            attrs['dilation'] = [r.randint(1, 2), r.randint(1, 2)]
            reach = [d * (k - 1) + 1 for k, d in zip(kernel, attrs['dilation'])]
        else:
            attrs['countIncludePad'] = r.random() < 0.5
        shape = [r.randint(1, 3), r.randint(1, 9), *(max(k, 2) + r.randint(0, 9) for k in reach)]
        yield ('maxPool2d' if i % 2 else 'avgPool2d'), attrs, [take(shape, r.choice(['uniform', 'halfZero']))]
    for i in range(20):
        op = 'adaptiveMaxPool2d' if i % 2 else 'adaptiveAvgPool2d'
        size = [1, 1] if i < 6 else [r.randint(1, 7), r.randint(1, 7)]
        yield op, {'size': size}, [take([r.randint(1, 3), r.randint(1, 9), r.randint(1, 12), r.randint(1, 12)])]


UNARY = [('relu', 'uniform', {}), ('leakyRelu', 'uniform', {'negativeSlope': 0.55}), ('sigmoid', 'normal', {}),
         ('tanh', 'normal', {}), ('exp', 'normal', {}), ('log', 'positive', {}), ('sqrt', 'positive', {}),
         ('neg', 'uniform', {}), ('abs', 'uniform', {}), ('square', 'uniform', {}), ('reciprocal', 'positive', {}),
         ('clamp', 'uniform', {'min': -0.5, 'max': 0.25}), ('clamp', 'uniform', {'min': 0.1}),
         ('clamp', 'uniform', {'max': 0.3}), ('pow', 'positive', {'exponent': 2.5}), ('pow', 'positive', {'exponent': -1}),
         ('pow', 'uniform', {'exponent': 2}), ('pow', 'uniform', {'exponent': 3})]


def unary_cases(r):
    for op, kind, attrs in UNARY:
        for shape in ([], [1], [r.randint(2, 400)], shape_of(r, 4)):
            yield op, attrs, [take(shape, kind, scale=r.choice([1.0, 2.0]) if kind == 'positive' else 1.0)]
    for op in ('sigmoid', 'tanh'):
        yield op, {}, [take([64], scale=100.0)]


BROADCASTS = [([7], [7]), ([5, 1], [1, 6]), ([2, 9, 4, 5], [9, 1, 1]), ([3, 4, 5], []), ([1], [2, 3, 4]),
              ([2, 8, 4, 4], [2, 8, 4, 4]), ([2, 7, 3, 5], [2, 7, 1, 1]), ([4, 1, 3], [5, 1]), ([33, 10], [10]),
              ([2, 1, 2, 1, 3, 1], [3, 1, 2, 1, 2])]


def binary_cases(r):
    for op in ('add', 'sub', 'mul', 'div', 'maximum', 'minimum'):
        for a, b in BROADCASTS:
            a, b = (b, a) if r.random() < 0.4 else (a, b)
            yield op, {}, [take(a), take(b, 'positive' if op == 'div' else 'uniform')]
    for op, other in [('add', 1.5), ('sub', -0.3), ('mul', 3.0), ('div', 0.7)]:
        yield op, {'other': other}, [take(shape_of(r, 3))]
    for c, a, b in [([6], [6], [6]), ([4, 1], [4, 5], [5]), ([2, 3, 4], [], [3, 1]), ([2, 1, 3, 1], [5, 1, 4], [1])]:
        yield 'where', {}, [fixed(c, 'mask'), take(a), take(b)]


def reduce_cases(r):
    for op in ('sum', 'mean', 'max', 'min', 'argmax'):
        for i in range(9):
            rank = r.randint(1, 4)
            shape = shape_of(r, rank, 12)
            attrs = {'keepDim': r.random() < 0.5}
            attrs['dim'] = r.randint(-rank, rank - 1)
            if op in ('sum', 'mean') and i % 3 == 2:
                attrs['dim'] = sorted(r.sample(range(rank), r.randint(1, rank)))
            yield op, attrs, [take(shape, grad=op != 'argmax')]
        if op != 'argmax':
            yield op, {}, [take([3, 4, 5])]
            yield op, {}, [take([])]
            yield op, {}, [take([9000])]
        yield op, {'dim': 1}, [take([2, 3000], grad=op != 'argmax')]
        yield op, {'dim': 0}, [take([700, 3], grad=op != 'argmax')]


def softmax_cases(r):
    for op in ('softmax', 'logSoftmax'):
        for i in range(9):
            rank = r.randint(1, 4)
            scale = [1.0, 5.0, 80.0][i % 3]
            yield op, {'dim': r.randint(-rank, rank - 1)}, [take(shape_of(r, rank, 12), 'normal', scale=scale)]
        yield op, {'dim': 1}, [take([3, 1000], 'normal')]


def loss_cases(r):
    for i in range(24):
        rows, classes = r.choice([1, 2, 5, 8, 33]), r.choice([2, 3, 10, 65, 365])
        logits = take([rows, classes], 'normal', scale=r.choice([1.0, 10.0, 60.0]))
        # Soft labels here do not sum to 1, as PyTorch allows.
        target = fixed([rows], f'index:{classes}') if i % 2 else fixed([rows, classes], 'unit')
        yield 'crossEntropy', {'reduction': ['mean', 'sum', 'none'][i % 3]}, [logits, target]


def movement_cases(r):
    for i in range(10):
        rank = r.randint(1, 4)
        dim = r.randint(-rank, rank - 1)
        shape = shape_of(r, rank, 6)
        parts = []
        for _ in range([1, 2, 3, 9][i % 4]):
            part = list(shape)
            part[dim] = r.randint(1, 7)
            parts.append(take(part))
        yield 'concat', {'dim': dim}, parts
    for _ in range(14):
        rank = r.randint(1, 4)
        shape, dim = shape_of(r, rank, 9), r.randint(-rank, rank - 1)
        start = r.randint(0, shape[dim] - 1)
        yield 'slice', {'dim': dim, 'start': start, 'end': r.randint(start + 1, shape[dim]),
                        'step': r.randint(1, 3)}, [take(shape)]
    for shape, new in [([6], [2, 3]), ([2, 3, 4], [4, 6]), ([1, 1], []), ([], [1, 1]), ([8, 3], [2, -1])]:
        yield 'reshape', {'shape': new}, [take(shape)]
    for _ in range(12):
        rank = r.randint(2, 6)
        yield 'permute', {'dims': r.sample(range(rank), rank)}, [take(shape_of(r, rank, 5))]
    for i in range(10):
        rank = r.randint(1, 4)
        padding = [[r.randint(0, 3), r.randint(0, 3)] for _ in range(rank)]
        yield 'pad', {'padding': padding, 'value': [0.0, 1.5][i % 2]}, [take(shape_of(r, rank, 6))]
    for shape, new in [([1], [7]), ([3, 1], [3, 5]), ([1, 4, 1], [2, 4, 3]), ([5], [2, 3, 5]), ([], [2, 2]),
                       ([2, 1, 3, 1], [2, 4, 3, 5])]:
        yield 'expand', {'shape': new}, [take(shape)]
    for i in range(10):
        shape = shape_of(r, r.randint(1, 4), 8)
        dim = 0 if i < 4 else r.randint(-len(shape), len(shape) - 1)
        yield 'indexSelect', {'dim': dim}, [take(shape), fixed([r.randint(1, 20)], f'index:{shape[dim]}')]
    for attrs in ({'dim': -1, 'start': -3}, {'dim': 1, 'end': -2}, {'dim': 2, 'start': 1, 'end': 99, 'step': 4}):
        yield 'slice', attrs, [take([3, 4, 7])]



FAMILIES = {'matmul': matmul_cases, 'linear': linear_cases, 'conv2d': conv_cases, 'batchNorm2d': norm_cases,
            'pool': pool_cases, 'unary': unary_cases, 'binary': binary_cases, 'reduce': reduce_cases,
            'softmax': softmax_cases, 'crossEntropy': loss_cases, 'movement': movement_cases}


def write_family(family, make):
    rows, tensors = [], {}
    for number, (op, attrs, inputs) in enumerate(make(random.Random(family))):
        case = {'name': f'{family}{number}', 'op': op, 'attrs': attrs, 'inputs': inputs}
        made = [values(f'{case["name"]}/x{i}', spec['shape'], spec['kind'], spec.get('scale', 1.0))
                for i, spec in enumerate(inputs)]
        upstream = lambda shape, name=case['name']: values(f'{name}/dy', shape, 'uniform')
        exact = evaluate(case, made, upstream, torch.float64)
        single = evaluate(case, made, upstream, torch.float32)
        case['shape'] = list(exact['out'].shape)
        # PyTorch f32's own distance from f64, per result.
        case['f32'] = {name: float(f'{relative(single[name], exact[name]):.3g}') for name in exact}
        rows.append(case)
        tensors.update({f'{case["name"]}/{name}': stored(value) for name, value in exact.items()})
    write_json(os.path.join(FOLDER, f'{family}.json'), {'torch': torch.__version__}, 'cases', rows)
    write_safetensors(os.path.join(FOLDER, f'{family}.safetensors'), tensors)
    print(f'{family}: {len(rows)} cases')


if __name__ == '__main__':
    torch.set_num_threads(1)
    for family, make in FAMILIES.items():
        write_family(family, make)
