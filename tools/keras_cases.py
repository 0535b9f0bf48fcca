"""Keras files for test/nn/checkpoint/hdf5/keras.test.ts, written by h5py: supported files and refused ones.

Requires h5py (`apt-get install python3-h5py`). Also writes what h5py reads from the published small FCNN, if it exists.
"""

import hashlib
import json
import os

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, '..', 'test', 'fixtures', 'checkpoints')
REAL = os.path.join(HERE, '..', '..', 'shared', 'checkpoints', 'smallfcnn-model-0.9618.hdf5')


def described(array):
    """Name of the element type as in safetensors, shape, and the hash of the elements in little-endian order."""
    kind = {'f': 'F', 'i': 'I', 'u': 'U'}[array.dtype.kind] + str(array.dtype.itemsize * 8)
    data = array.astype(array.dtype.newbyteorder('<')).tobytes()
    return {'dtype': kind, 'shape': list(array.shape), 'sha256': hashlib.sha256(data).hexdigest()}


def read_back(path):
    """The weights by Keras's own lists, as h5py reads them."""
    with h5py.File(path, 'r') as file:
        group = file['model_weights'] if 'model_weights' in file else file

        def names(attributes, key):
            if key in attributes:
                return [text_of(x) for x in attributes[key]]
            parts = []
            while f'{key}{len(parts)}' in attributes:
                parts.append([text_of(x) for x in attributes[f'{key}{len(parts)}']])
            return sum(parts, [])

        def text_of(x):
            return x.decode() if isinstance(x, bytes) else x

        tensors = {}
        for layer in names(group.attrs, 'layer_names'):
            for weight in names(group[layer].attrs, 'weight_names'):
                tensors[weight[:-2] if weight.endswith(':0') else weight] = described(group[layer][weight][()])
        return tensors


def random(shape, dtype):
    rng = np.random.default_rng(len(shape) + sum(shape))
    return (rng.standard_normal(shape) * 100).astype(dtype)


def write(path, layers, encode=lambda names: [n.encode() for n in names], root=None, **options):
    """`layers`: {layer: {weight: array, or a function (group, name) that creates the data set}}."""
    with h5py.File(path, 'w', **options) as file:
        group = file if root is None else file.create_group(root)
        file.attrs['keras_version'] = '2.2.4'
        group.attrs['backend'] = np.bytes_('tensorflow')
        group.attrs['layer_names'] = encode(list(layers))
        for layer, weights in layers.items():
            inner = group.create_group(layer)
            inner.attrs['weight_names'] = encode(list(weights))
            for name, value in weights.items():
                if callable(value):
                    value(inner, name)
                else:
                    inner.create_dataset(name, data=value)


def packed(value, **how):
    return lambda group, name: group.create_dataset(name, data=value, **how)


READ = {
    'keras_types.h5': (
        {
            'plain': {'plain/kernel:0': random((3, 3, 2, 4), '<f4'), 'plain/bias:0': random((4,), '<f4')},
            'none': {},
            'types': {
                'types/half:0': random((5,), '<f2'),
                'types/double:0': random((2, 3), '<f8'),
                'types/big:0': random((3, 2), '>f4'),
                'types/long:0': random((3,), '<i8'),
                'types/byte:0': random((7,), 'u1'),
                'types/scalar:0': np.float32(2.5),
                'types/empty:0': np.zeros((0, 4), '<f4'),
            },
            'packed': {
                'packed/gzip:0': packed(random((20, 7), '<f4'), chunks=(8, 3), compression='gzip'),
                'packed/shuffle:0': packed(random((9, 5, 4), '>f8'), chunks=(4, 5, 3), compression='gzip', shuffle=True),
                'packed/chunks:0': packed(random((11,), '<f2'), chunks=(4,)),
            },
            'deep': {'a/b/c:0': random((2,), '<f4')},
        },
        {'root': 'model_weights'},
    ),
    # Texts of variable length in a heap, after a user block.
    'keras_texts.h5': (
        {f'layer_{i}': {f'layer_{i}/w:0': random((i + 1,), '<f4')} for i in range(12)},
        {'encode': lambda names: names, 'userblock_size': 1024},
    ),
    # Newer structures: object headers of version 2, links in a fractal heap.
    'keras_latest.h5': (
        {f'layer_{i}': {f'layer_{i}/w:0': random((i + 1,), '<f4')} for i in range(12)},
        {'libver': 'latest'},
    ),
}


def links_elsewhere(group, name):
    group.file.create_dataset('elsewhere', data=random((3,), '<f4'))
    group[name] = h5py.SoftLink('/elsewhere')


def links_to_file(group, name):
    group[name] = h5py.ExternalLink('/etc/passwd', '/x')


def kept_in_files(group, name):
    group.create_dataset(name, shape=(4,), dtype='<f4', external=[('/etc/passwd', 0, 16)])


def virtual(group, name):
    layout = h5py.VirtualLayout(shape=(4,), dtype='<f4')
    layout[:] = h5py.VirtualSource('other.h5', 'x', shape=(4,))
    group.create_virtual_dataset(name, layout)


def never_written(group, name):
    group.create_dataset(name, shape=(2**20, 2**20), dtype='<f4')


def bomb(group, name):
    group.create_dataset(name, data=np.zeros(2**24, '<f4'), chunks=(2**22,), compression='gzip', compression_opts=9)


def committed(group, name):
    group.file['type'] = np.dtype('<f4')
    group.create_dataset(name, shape=(2,), dtype=group.file['type'])


REFUSED = {
    'soft_link': links_elsewhere,
    'external_link': links_to_file,
    'external_data': kept_in_files,
    'virtual': virtual,
    'never_written': never_written,
    'bomb': bomb,
    'committed_type': committed,
    'lzf': packed(random((50,), '<f4'), chunks=(50,), compression='lzf'),
    'fletcher32': packed(random((50,), '<f4'), chunks=(50,), fletcher32=True),
    'texts': packed(['a', 'b']),
    'compound': packed(np.zeros(2, [('a', '<f4'), ('b', '<i4')])),
    'unsigned_long': packed(np.zeros(2, '<u8')),
    'group': lambda group, name: group.create_group(name),
}


def main():
    os.makedirs(OUT, exist_ok=True)
    expected = {}
    for name, (layers, options) in READ.items():
        path = os.path.join(OUT, name)
        write(path, layers, **options)
        expected[name] = read_back(path)
    for name, make in REFUSED.items():
        write(os.path.join(OUT, f'keras_refused_{name}.h5'), {'layer': {'layer/w:0': make}})
    if os.path.exists(REAL):
        expected[os.path.basename(REAL)] = read_back(REAL)
    with open(os.path.join(OUT, 'keras.json'), 'w') as file:
        json.dump(expected, file, indent=1)
        file.write('\n')


if __name__ == '__main__':
    main()
