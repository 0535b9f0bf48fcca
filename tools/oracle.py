"""Storage of expected tensors: safetensors for the values, and JSON for the error of PyTorch's own f32.

A tensor of up to WHOLE elements is stored whole as F32 (integers as I32). A larger one is a sketch: F64 [33], its norm
and 32 projections on random signs (bit j of hash word i of the name `signs`), so that another implementation's
relative error is estimated by sqrt(mean((p_j - q_j)^2)) / norm, within about an eighth of the true value.
"""
import json
import os
import struct

import numpy as np
from hash import words

WHOLE = 4096
PROJECTIONS = 32
_CHUNK = 1 << 16


def sketch(values):
    flat = np.asarray(values, np.float64).reshape(-1)
    totals = np.zeros(PROJECTIONS)
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        bits = np.unpackbits(words('signs', part.size, start)[:, None].view(np.uint8), axis=1, bitorder='little')
        totals += part @ (1.0 - 2.0 * bits)
    return np.concatenate([[np.linalg.norm(flat)], totals])


def stored(values):
    values = np.asarray(values)
    if values.dtype.kind == 'i':
        return values.astype(np.int32)
    return values.astype(np.float32) if values.size <= WHOLE else sketch(values)


def relative(values, reference):
    """Norm of the difference over the norm of the reference."""
    reference = np.asarray(reference, np.float64)
    norm = np.linalg.norm(reference)
    return float(np.linalg.norm(np.asarray(values, np.float64) - reference) / norm) if norm > 0 else 0.0


def write_safetensors(path, tensors):
    names = {'float32': 'F32', 'float64': 'F64', 'int32': 'I32'}
    header, offset = {}, 0
    # The widest type first keeps every tensor aligned to its size.
    order = sorted(tensors, key=lambda key: (-tensors[key].itemsize, key))
    for key in order:
        array = tensors[key]
        header[key] = {'dtype': names[array.dtype.name], 'shape': list(array.shape),
                       'data_offsets': [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + '.tmp', 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        for key in order:
            file.write(np.ascontiguousarray(tensors[key]).tobytes())
    os.replace(path + '.tmp', path)


def write_json(path, head, rows_key, rows):
    """One row per line, so that a change of one case is a change of one line."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    lines = ',\n'.join(json.dumps(row, separators=(',', ':')) for row in rows)
    start = json.dumps({**head, rows_key: []})[:-2]
    with open(path + '.tmp', 'w') as file:
        file.write(f'{start}\n{lines}\n]}}\n')
    os.replace(path + '.tmp', path)
