"""Legacy and zip files by PyTorch, with the tensors that it reads from them. Writes test/fixtures/checkpoints.

cases.json lists for each file the format, the metadata that is expected, and for each tensor its name (as our reader
gives it), shape, type and the SHA-256 of its elements, row-major and little-endian. real.json lists the same for the
real files of ../shared/checkpoints, as torch.load gives them.
"""
import hashlib
import os
import sys
from collections import OrderedDict

import numpy as np
import torch
from oracle import write_json

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, '..', 'test', 'fixtures', 'checkpoints')
REAL = os.path.join(HERE, '..', '..', 'shared', 'checkpoints')
DTYPES = {torch.float64: 'F64', torch.float32: 'F32', torch.float16: 'F16', torch.bfloat16: 'BF16', torch.int64: 'I64',
          torch.int32: 'I32', torch.int16: 'I16', torch.int8: 'I8', torch.uint8: 'U8', torch.bool: 'BOOL'}
assert sys.byteorder == 'little'


def row(name, tensor):
    tensor = tensor.detach().contiguous()
    raw = (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy().tobytes()
    return {'name': name, 'shape': list(tensor.shape), 'dtype': DTYPES[tensor.dtype],
            'sha256': hashlib.sha256(raw).hexdigest()}


def ramp(*shape, dtype=torch.float32):
    count = int(np.prod(shape))
    return (torch.arange(count) % 251).to(dtype).reshape(shape)


def dtypes():
    floats = torch.tensor([0.0, -0.0, 1 / 3, -65504.0, 6e-8, float('inf'), float('-inf'), float('nan')])
    state = {str(dtype).split('.')[1]: floats.to(dtype) for dtype in (torch.float64, torch.float32, torch.float16,
                                                                      torch.bfloat16)}
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8):
        limits = torch.iinfo(dtype)
        state[str(dtype).split('.')[1]] = torch.tensor([limits.min, -1, 0, 1, limits.max], dtype=dtype)
    state['uint8'] = torch.tensor([0, 1, 255], dtype=torch.uint8)
    state['bool'] = torch.tensor([True, False, True])
    return state, state, {}


def views():
    shared = ramp(60)
    state = OrderedDict()
    state['transposed'] = ramp(4, 3).t()
    state['permuted'] = ramp(2, 3, 4, 5).permute(0, 3, 1, 2)
    state['channels_last'] = ramp(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    state['steps'] = ramp(9, 10)[1::3, ::4]
    state['expanded'] = ramp(3, 1).expand(3, 4)
    state['row'] = shared.reshape(6, 10)[2]
    state['column'] = shared.reshape(6, 10)[:, 3]
    state['whole'] = shared
    state['scalar_of_shared'] = shared[7]
    state['half'] = ramp(5, 7, dtype=torch.float16).t()
    state['double'] = ramp(5, 7, dtype=torch.float64).t()[2:]
    state['bytes'] = ramp(5, 7, dtype=torch.uint8)[:, 1:6:2]
    state['empty_view'] = shared[5:5]
    return state, state, {}


def shapes():
    state = {'none': torch.zeros(0), 'no_rows': torch.zeros(0, 3), 'no_columns': torch.zeros(4, 0, 2), '0d': torch.tensor(1.5),
             '0d_long': torch.tensor(2**40), 'ones': ramp(1, 1, 3, 1), 'six': ramp(1, 2, 1, 3, 2, 1).transpose(1, 4)}
    return state, state, {}


def nested():
    """Nested dicts, parameters, and a parameter with an attribute, which is rebuilt by another function."""
    marked = torch.nn.Parameter(ramp(2, 2))
    marked.note = 'kept by nobody'
    inner = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)).state_dict()
    state = {'scale': torch.nn.Parameter(ramp(3)), 'encoder': {'marked': marked, 'body': inner}, 0: ramp(2),
             'note': 'text', 'extra': None}
    flat = {'scale': state['scale'], 'encoder.marked': marked, **{f'encoder.body.{key}': x for key, x in inner.items()},
            '0': state[0]}
    return state, flat, {'note': 'text'}


def training():
    """A checkpoint of a training script: DataParallel's names, optimizer, schedule and metrics."""
    torch.manual_seed(0)
    net = torch.nn.DataParallel(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)))
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.MultiStepLR(adam, [2, 4])
    net(ramp(5, 3)).square().sum().backward()
    adam.step()
    schedule.step()
    state = {'epoch': 90, 'arch': 'résnet', 'best_acc1': torch.tensor(71.5), 'best_prec1': np.float64(56.25), 'loss': np.float32(0.5),
             'steps': np.int64(7), 'device': torch.device('cpu'), 'dtype': torch.float16, 'amp': True, 'seed': 2**62,
             'lr': 0.1, 'note': None, 'betas': (0.9, 0.999), 'state_dict': net.state_dict(), 'optimizer': adam.state_dict(),
             'schedule': schedule.state_dict()}
    flat = {key.removeprefix('module.'): value for key, value in net.state_dict().items()}
    metadata = {'epoch': '90', 'arch': 'résnet', 'best_acc1': 'left out: a tensor', 'best_prec1': '56.25', 'loss': '0.5',
                'steps': '7', 'device': 'cpu', 'dtype': 'torch.float16', 'amp': 'true', 'seed': str(2**62), 'lr': '0.1',
                'optimizer': 'left out: a dict with tensors'}
    return state, flat, metadata


def write_case(make, protocol=2):
    state, flat, metadata = make()
    rows = []
    for form, is_zip in (('legacy', False), ('zip', True)):
        name = f'{make.__name__}-{form}' + ('' if protocol == 2 else f'-{protocol}') + '.pt'
        torch.save(state, os.path.join(FOLDER, name), pickle_protocol=protocol, _use_new_zipfile_serialization=is_zip)
        rows.append({'file': name, 'format': f'torch-{form}', 'metadata': metadata,
                     'tensors': [row(key, tensor) for key, tensor in flat.items()]})
    return rows


def real_case(name, key=None):
    state = torch.load(os.path.join(REAL, name), map_location='cpu')
    state = state if key is None else state[key]
    strip = all(name.startswith('module.') for name in state)
    return {'file': name, 'tensors': [row(key.removeprefix('module.') if strip else key, x) for key, x in state.items()]}


if __name__ == '__main__':
    os.makedirs(FOLDER, exist_ok=True)
    cases = [case for make in (dtypes, views, shapes, nested, training) for case in write_case(make)]
    cases += [case for protocol in (3, 4, 5) for case in write_case(views, protocol)]
    cases += write_case(training, 4)
    head = {'torch': torch.__version__}
    write_json(os.path.join(FOLDER, 'cases.json'), head, 'cases', cases)
    print(f'{len(cases)} files, {sum(len(case["tensors"]) for case in cases)} tensors')
    if os.path.isdir(REAL):
        real = [real_case('dcase2021-baseline-audio-video.pt'), real_case('resnet20-12fca82f.th', 'state_dict')]
        write_json(os.path.join(FOLDER, 'real.json'), head, 'files', real)
    else:
        print(f'real.json is left as it is, since {REAL} is absent')
