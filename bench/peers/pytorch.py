"""PyTorch as a peer: pytorch.py LAYOUT TF32 DEVICE. Answers the requests of protocol.ts on descriptor 3, one at a time.

LAYOUT is contiguous or channels_last, TF32 on or off, DEVICE cuda or cpu. Eager mode.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'tools'))

import numpy as np
import torch
import torch.nn.functional as F
from hash import values

LR, BETAS, EPS, CHECKED_STEPS = 1e-4, (0.9, 0.999), 1e-8, 3
LAYOUT, TF32, DEVICE = sys.argv[1:4]
MEMORY = torch.channels_last if LAYOUT == 'channels_last' else torch.contiguous_format

# The number of threads of a software adapter.
torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count())
torch.backends.cuda.matmul.allow_tf32 = TF32 == 'on'
torch.backends.cudnn.allow_tf32 = TF32 == 'on'
torch.backends.cudnn.benchmark = True


def place(spec):
    tensor = torch.from_numpy(values(spec['name'], tuple(spec['shape']), spec['kind'], spec['scale'])).to(DEVICE)
    return tensor.contiguous(memory_format=MEMORY) if tensor.dim() == 4 else tensor


def idle():
    if DEVICE == 'cuda':
        torch.cuda.synchronize()


class ConvJob:
    def __init__(self, work):
        self.x, self.weight = place(work['x']), place(work['weight'])
        self.options = dict(stride=work['stride'], padding=work['padding'])

    def step(self):
        with torch.no_grad():
            return F.conv2d(self.x, self.weight, None, **self.options)

    def check(self):
        return [], [self.step()]


class TrainingJob:
    """Base class. A subclass has parameters, forward() and loss(output)."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.adam = torch.optim.Adam(self.parameters, lr=LR, betas=BETAS, eps=EPS)

    def step(self):
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss(self.forward())
        loss.backward()
        self.adam.step()
        return loss

    def check(self):
        with torch.no_grad():
            tensors = [self.forward()]
        losses = [self.step().item()]
        tensors += [parameter.grad.clone() for parameter in self.parameters]
        losses += [self.step().item() for _ in range(CHECKED_STEPS - 1)]
        return losses, tensors


class DenseJob(TrainingJob):
    def __init__(self, work):
        self.x = place(work['x'])
        super().__init__([place(spec).requires_grad_() for spec in work['parameters']])

    def forward(self):
        seen = self.x
        for i in range(0, len(self.parameters), 6):
            weight1, bias1, narrow, weight2, bias2, grow = self.parameters[i : i + 6]
            middle = F.conv2d(F.relu(F.batch_norm(seen, None, None, weight1, bias1, True)), narrow)
            made = F.conv2d(F.relu(F.batch_norm(middle, None, None, weight2, bias2, True)), grow, padding=1)
            seen = torch.cat([seen, made], 1)
        return seen

    def loss(self, output):
        return output.square().mean()


class NetJob(TrainingJob):
    def __init__(self, work):
        from hash_weights import load_hash_weights
        from nets import FCNN, DenseNetExtractor, JointNet
        from torchvision.models import DenseNet

        video, audio, classes = work['video'], work['audio'], work['classes']
        sizes = video['growthRate'], tuple(video['blocks']), video['stem']
        if audio is None:
            net = DenseNet(*sizes, num_classes=classes)
        else:
            seen = DenseNetExtractor(*sizes)
            heard = FCNN(audio['features'], widths=audio['widths'], dropout=0)
            net = JointNet(heard, audio['features'], seen, seen.out_features, classes)
        self.net = load_hash_weights(net).to(DEVICE, memory_format=MEMORY).train()
        self.inputs = [place(spec) for spec in work['inputs']]
        self.labels = torch.arange(work['output'][0], device=DEVICE) % classes
        named = dict(self.net.named_parameters())
        super().__init__([named[spec['name']] for spec in work['parameters']])

    def forward(self):
        return self.net(*self.inputs)

    def loss(self, output):
        return F.cross_entropy(output, self.labels)


JOBS = {'conv': ConvJob, 'dense': DenseJob, 'net': NetJob}


def describe():
    where = torch.cuda.get_device_name() if DEVICE == 'cuda' else f'CPU, {torch.get_num_threads()} threads'
    notes = ['eager', LAYOUT] + ([f'TF32 {TF32}'] if DEVICE == 'cuda' else [])
    return {'version': torch.__version__, 'adapter': where, 'notes': notes}


def answer(job, request):
    do = request['do']
    if do == 'describe':
        return job, describe()
    if do == 'prepare':
        work = request['work']
        return JOBS[work['kind']](work), {}
    if do == 'check':
        losses, tensors = job.check()
        with open(request['file'], 'wb') as file:
            for tensor in tensors:
                file.write(np.ascontiguousarray(tensor.detach().cpu().numpy(), np.float32).tobytes())
        return job, {'losses': losses}
    if do == 'time':
        idle()
        start = time.perf_counter()
        for _ in range(request['steps']):
            job.step()
        idle()
        return job, {'milliseconds': (time.perf_counter() - start) * 1e3, 'dispatches': None, 'submits': None}
    return None, {}


job = None
with os.fdopen(3, 'w') as replies:
    for line in sys.stdin:
        try:
            job, message = answer(job, json.loads(line))
        except Exception as error:
            message = {'error': ' '.join(str(error).split())[:400]}
        print(json.dumps(message), file=replies, flush=True)
