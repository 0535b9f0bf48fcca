"""Samples of hash.py and hash_weights.py as f32 bits, and of a sketch of oracle.py. Writes test/fixtures/hash.json."""
import os

import numpy as np
from hash import normal, values, words
from hash_weights import hash_weight
from oracle import sketch, write_json

PATH = os.path.join(os.path.dirname(__file__), '..', 'test', 'fixtures', 'hash.json')
KINDS = ['uniform', 'normal', 'unit', 'positive', 'halfZero', 'mask', 'index:10', 'index:365']
KEYS = {'features.conv0.weight': [4, 3, 5, 5], 'fc1.weight': [7, 3], 'norm0.weight': [40], 'fc1.bias': [40],
        'norm0.running_mean': [40], 'norm0.running_var': [40]}


def bits(array):
    return array.reshape(-1).view(np.uint32).tolist()


if __name__ == '__main__':
    rows = [{'name': name, 'words': words(name, 20).tolist()} for name in ('', 'a', 'é', 'conv2d1/x0')]
    rows += [{'name': f'{kind}/x', 'kind': kind, 'scale': scale, 'bits': bits(values(f'{kind}/x', (40,), kind, scale))}
             for kind in KINDS for scale in (1.0, 0.3)]
    rows += [{'key': key, 'shape': shape, 'bits': bits(hash_weight(key, shape))} for key, shape in KEYS.items()]
    name, count = 'sketch/x', 100_000
    sketched = {'name': name, 'count': count, 'values': sketch(normal(name, count)).tolist()}
    write_json(PATH, {'sketch': sketched}, 'samples', rows)
