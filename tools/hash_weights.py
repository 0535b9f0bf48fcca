"""Weights of a whole net from the hash, by state dict key. test/support/hash_weights.ts computes the same bits.

weight, 2 or more dimensions   normal * sqrt(2 / fan_in), fan_in = elements / shape[0]      (convolutions, Linear)
weight, 1 dimension            1 + 0.1 * uniform                                           (BatchNorm)
bias, running_mean, mean_image 0.1 * uniform
running_var                    1 + 0.5 * |uniform|
num_batches_tracked            0
"""
import numpy as np
import torch
from hash import normal, uniform


def hash_weight(key, shape):
    count = int(np.prod(shape))
    kind = key.rsplit('.', 1)[-1]
    if kind == 'weight' and len(shape) > 1:
        values = normal(key, count).astype(np.float64) * np.sqrt(2.0 / (count // shape[0]))
    elif kind == 'weight':
        values = 1 + 0.1 * uniform(key, count).astype(np.float64)
    elif kind in ('bias', 'running_mean', 'mean_image'):
        values = 0.1 * uniform(key, count).astype(np.float64)
    elif kind == 'running_var':
        values = 1 + 0.5 * np.abs(uniform(key, count).astype(np.float64))
    else:
        raise ValueError(f'no rule for {key}')
    return values.astype(np.float32).reshape(shape)


def load_hash_weights(net):
    """Fills every parameter and running statistic in place; values are f32 whatever the net's dtype."""
    with torch.no_grad():
        for key, tensor in net.state_dict().items():
            if key.endswith('num_batches_tracked'):
                tensor.zero_()
            else:
                tensor.copy_(torch.from_numpy(hash_weight(key, tuple(tensor.shape))))
    return net
