"""Programs of calls on a small net: passes, steps, loads, freezing, and what PyTorch in f64 makes of each. Writes test/fixtures/sequences.json.

An operation is a list, its name first. Those that test/nn/sequences.test.ts can put into a compiled function are marked *.

  pass DATA [LOSS [TIMES]] *   forward and backward; LOSS of what follows; TIMES 2: backward twice through one graph
  forward DATA, backward       the same in two operations
  zero OPT *, step OPT *, clip OPT NORM *    an optimiser's; clipping leaves the gradients themselves as they were, as it does here
  optimizer OPT KIND PARAMETERS LR           made, in place of one of that name; PARAMETERS: all, or names
  copy OPT FROM                an optimiser's state into another
  lr OPT VALUE, train, eval, freeze NAMES, unfreeze NAMES, load SEED
  clear                        all gradients become None
  grad NAME SEED               p.grad = a tensor, or None where SEED is null
  derive NAME FACTOR           y = parameter * factor, read at the next check
  next                         where a compiled function may end
  check                        everything is compared
  refused OPERATION            PyTorch refuses it, and so must we

Losses: all; head (the features are detached: only the head has gradients); body (the head has none).
"""
import json
import os
import random

import torch
from hash import values
from hash_weights import load_hash_weights
from oracle import relative
from torch import nn

PATH = os.path.join(os.path.dirname(__file__), '..', 'test', 'fixtures', 'sequences.json')
PARAMETERS = ['conv.weight', 'norm.weight', 'norm.bias', 'head.weight', 'head.bias']


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 2, bias=False)
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 2)

    def features(self, x):
        return torch.relu(self.norm(self.conv(x))).mean((2, 3))


def loss_of(net, x, labels, kind):
    features = net.features(x)
    if kind == 'body':
        return (features * features).mean()
    return nn.functional.cross_entropy(net.head(features.detach() if kind == 'head' else features), labels)


MAKERS = {
    'sgd': lambda p, lr: torch.optim.SGD(p, lr=lr),
    'momentum': lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, weight_decay=0.01),
    'nesterov': lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.8, nesterov=True),
    # A large eps: an update by the sign of a gradient of nearly 0 says nothing about rounding.
    'adam': lambda p, lr: torch.optim.Adam(p, lr=lr, eps=1e-3),
    'adamw': lambda p, lr: torch.optim.AdamW(p, lr=lr, eps=1e-3, weight_decay=0.1),
}


class Machine:
    """Runs a program in one dtype; `checks` holds what it found."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.net = load_hash_weights(Net()).to(dtype)
        self.optimizers, self.given, self.losses, self.derived, self.checks = {}, {}, [], {}, []
        self.unclipped = {}
        self.loss = None

    def tensor(self, name, shape, kind='normal', scale=1.0):
        made = torch.from_numpy(values(name, shape, kind, scale))
        return made.long() if kind.startswith('index') else made.to(self.dtype)

    def data(self, seed):
        return self.tensor(f'x{seed}', [4, 2, 3, 3]), self.tensor(f'labels{seed}', [4], 'index:2')

    def parameters(self, names):
        named = dict(self.net.named_parameters())
        return [named[name] for name in (PARAMETERS if names == 'all' else names)]

    def run(self, operation):
        name, *rest = operation
        getattr(self, f'do_{name}')(*rest)

    def do_forward(self, data, kind='all'):
        self.loss = loss_of(self.net, *self.data(data), kind)
        self.losses.append(self.loss.item())

    def do_backward(self, times=1):
        for i in range(times):
            self.loss.backward(retain_graph=i + 1 < times)

    def do_pass(self, data, kind='all', times=1):
        self.do_forward(data, kind)
        self.do_backward(times)

    def do_zero(self, name):
        self.optimizers[name].zero_grad(set_to_none=True)

    def do_clip(self, name, most):
        parameters = self.given[name]
        self.unclipped[name] = [(p, p.grad.clone()) for p in parameters if p.grad is not None]
        self.losses.append(torch.nn.utils.clip_grad_norm_(parameters, most).item())

    def do_step(self, name):
        self.optimizers[name].step()
        for parameter, gradient in self.unclipped.pop(name, []):
            parameter.grad = gradient

    def do_optimizer(self, name, kind, names, lr):
        self.given[name] = self.parameters(names)
        self.optimizers[name] = MAKERS[kind](self.given[name], lr)

    def do_copy(self, name, source):
        self.optimizers[name].load_state_dict(self.optimizers[source].state_dict())

    def do_lr(self, name, value):
        for group in self.optimizers[name].param_groups:
            group['lr'] = value

    def do_train(self):
        self.net.train()

    def do_eval(self):
        self.net.eval()

    def do_freeze(self, names, flag=False):
        for parameter in self.parameters(names):
            parameter.requires_grad_(flag)

    def do_unfreeze(self, names):
        self.do_freeze(names, True)

    def do_load(self, seed):
        made = {}
        for key, tensor in self.net.state_dict().items():
            if not key.endswith('num_batches_tracked'):
                kind = 'positive' if key.endswith('running_var') else 'uniform'
                made[key] = self.tensor(f'load{seed}/{key}', list(tensor.shape), kind)
        self.net.load_state_dict(made, strict=False)

    def do_clear(self):
        self.net.zero_grad(set_to_none=True)

    def do_grad(self, name, seed):
        (parameter,) = self.parameters([name])
        parameter.grad = None if seed is None else self.tensor(f'grad{seed}/{name}', list(parameter.shape))

    def do_derive(self, name, factor):
        (parameter,) = self.parameters([name])
        self.derived[f'derived {name}'] = (parameter * factor).detach()

    def do_next(self):
        pass

    def do_check(self):
        found = {'losses': torch.tensor(self.losses, dtype=self.dtype)} if self.losses else {}
        found.update(self.derived)
        for key, tensor in self.net.state_dict().items():
            if not key.endswith('num_batches_tracked'):
                found[key] = tensor.clone()
        for key, parameter in self.net.named_parameters():
            if parameter.grad is not None:
                found[f'gradient of {key}'] = parameter.grad.clone()
        self.checks.append({key: tensor.double().reshape(-1).numpy() for key, tensor in found.items()})
        self.losses, self.derived = [], {}

    def do_refused(self, operation):
        try:
            self.run(operation)
        except RuntimeError:
            return
        raise AssertionError(f'PyTorch does not refuse {operation}')


def iterations(first, count, name='a', loss='all', between=('next',)):
    made = []
    for data in range(first, first + count):
        made += [['zero', name], ['pass', data, loss], ['step', name], list(between)]
    return made[:-1] + [['check']]


ALL = 'all'
BODY = ['conv.weight', 'norm.weight', 'norm.bias']
HEAD = ['head.weight', 'head.bias']


def plain_programs():
    for kind, lr in [('sgd', 0.1), ('momentum', 0.05), ('nesterov', 0.05), ('adam', 0.02), ('adamw', 0.02)]:
        yield 'training', kind, [['optimizer', 'a', kind, ALL, lr], *iterations(0, 3), *iterations(3, 3)]
    yield 'gradients', 'accumulate over two passes', [
        ['optimizer', 'a', 'sgd', ALL, 0.1], ['zero', 'a'], ['pass', 0], ['pass', 1], ['step', 'a'], ['check'],
        ['zero', 'a'], ['pass', 2], ['pass', 3], ['step', 'a'], ['check']]
    yield 'gradients', 'accumulate over steps where nobody clears them', [
        ['optimizer', 'a', 'sgd', ALL, 0.05], ['pass', 0], ['step', 'a'], ['next'], ['pass', 1], ['step', 'a'], ['next'],
        ['pass', 2], ['step', 'a'], ['check'], ['zero', 'a'], ['pass', 3], ['check']]
    yield 'gradients', 'two backward passes through one graph', [
        ['optimizer', 'a', 'adam', ALL, 0.02], ['zero', 'a'], ['pass', 0, 'all', 2], ['step', 'a'], ['check'],
        ['zero', 'a'], ['pass', 1, 'all', 2], ['step', 'a'], ['check']]
    yield 'gradients', 'without an optimiser', [['pass', 0], ['check'], ['pass', 1], ['next'], ['pass', 2], ['check']]
    yield 'gradients', 'clipped', [
        ['optimizer', 'a', 'momentum', ALL, 0.1], ['zero', 'a'], ['pass', 0], ['clip', 'a', 0.1], ['step', 'a'], ['check'],
        ['zero', 'a'], ['pass', 1], ['clip', 'a', 100.0], ['step', 'a'], ['next'],
        ['zero', 'a'], ['pass', 2], ['clip', 'a', 0.1], ['step', 'a'], ['check']]
    yield 'gradients', 'some parameters have none at some steps', [
        ['optimizer', 'a', 'adam', ALL, 0.02], *iterations(0, 2), *iterations(2, 2, loss='head'),
        *iterations(4, 2, loss='body'), *iterations(6, 2)]
    yield 'gradients', 'of head and body in turn', [
        ['optimizer', 'a', 'adam', ALL, 0.02],
        ['zero', 'a'], ['pass', 0, 'head'], ['step', 'a'], ['next'], ['zero', 'a'], ['pass', 1, 'body'], ['step', 'a'], ['check'],
        ['zero', 'a'], ['pass', 2, 'head'], ['step', 'a'], ['next'], ['zero', 'a'], ['pass', 3, 'body'], ['step', 'a'], ['check'],
        ['zero', 'a'], ['pass', 4], ['step', 'a'], ['check']]
    yield 'modes', 'training and evaluation in turn', [
        ['optimizer', 'a', 'sgd', ALL, 0.1], *iterations(0, 2), ['eval'], *iterations(2, 2), ['train'], *iterations(4, 2)]
    yield 'modes', 'learning rate', [
        ['optimizer', 'a', 'adam', ALL, 0.1], *iterations(0, 2), ['lr', 'a', 0.001], *iterations(2, 2), ['lr', 'a', 0.0],
        *iterations(4, 1)]
    yield 'freezing', 'before the optimiser steps', [
        ['optimizer', 'a', 'momentum', ALL, 0.1], ['freeze', BODY], *iterations(0, 2), ['unfreeze', BODY], *iterations(2, 2)]
    yield 'freezing', 'between steps', [
        ['optimizer', 'a', 'adam', ALL, 0.05], *iterations(0, 2), ['freeze', ['conv.weight', 'head.bias']], *iterations(2, 2),
        ['unfreeze', ['conv.weight']], *iterations(4, 2)]
    yield 'freezing', 'while the optimiser is made', [
        ['freeze', BODY], ['optimizer', 'a', 'sgd', ALL, 0.1], *iterations(0, 2), ['unfreeze', BODY], *iterations(2, 2)]
    yield 'optimisers', 'made after a pass', [
        ['pass', 0], ['check'], ['optimizer', 'a', 'sgd', ALL, 0.1], ['step', 'a'], ['check'], *iterations(1, 2)]
    yield 'optimisers', 'made after a pass whose gradients were cleared', [
        ['pass', 0], ['check'], ['clear'], ['optimizer', 'a', 'sgd', ALL, 0.1], *iterations(1, 2)]
    yield 'optimisers', 'made between passes', [
        ['pass', 0], ['check'], ['pass', 1], ['optimizer', 'a', 'momentum', ALL, 0.1], ['pass', 2], ['step', 'a'], ['check'],
        *iterations(3, 2)]
    yield 'optimisers', 'made while work is pending', [
        ['derive', 'conv.weight', 10.0], ['optimizer', 'a', 'sgd', ALL, 0.1], ['check'],
        ['derive', 'head.weight', 3.0], *iterations(0, 2)]
    yield 'optimisers', 'made right after weights are loaded', [
        ['load', 1], ['optimizer', 'a', 'adam', ALL, 0.02], *iterations(0, 2)]
    yield 'optimisers', 'made while work on loaded weights is pending', [
        ['load', 1], ['derive', 'head.weight', 2.0], ['optimizer', 'a', 'sgd', ALL, 0.1], ['check'], *iterations(0, 2)]
    yield 'optimisers', 'replaced', [
        ['optimizer', 'a', 'sgd', ALL, 0.1], *iterations(0, 2), ['optimizer', 'a', 'adam', ALL, 0.02], *iterations(2, 2),
        ['optimizer', 'a', 'momentum', HEAD, 0.1], *iterations(4, 2)]
    yield 'optimisers', 'replaced once gradients were cleared', [
        ['optimizer', 'a', 'sgd', ALL, 0.1], *iterations(0, 2), ['clear'], ['optimizer', 'a', 'adam', ALL, 0.02], *iterations(2, 2),
        ['clear'], ['optimizer', 'a', 'momentum', HEAD, 0.1], *iterations(4, 2)]
    yield 'optimisers', 'replaced between backward and step', [
        ['optimizer', 'a', 'sgd', ALL, 0.1], *iterations(0, 1), ['zero', 'a'], ['pass', 1], ['optimizer', 'a', 'momentum', ALL, 0.1],
        ['step', 'a'], ['check'], *iterations(2, 2)]
    yield 'optimisers', 'replaced by one that continues its state', [
        ['optimizer', 'a', 'adam', ALL, 0.02], *iterations(0, 3), ['optimizer', 'b', 'adam', ALL, 0.02], ['copy', 'b', 'a'],
        *iterations(3, 3, name='b')]
    yield 'optimisers', 'two of head and body in turn', [
        ['optimizer', 'a', 'sgd', BODY, 0.1], ['optimizer', 'b', 'adam', HEAD, 0.02],
        ['zero', 'a'], ['zero', 'b'], ['pass', 0], ['step', 'a'], ['step', 'b'], ['check'],
        ['zero', 'a'], ['pass', 1], ['step', 'a'], ['next'], ['zero', 'b'], ['pass', 2], ['step', 'b'], ['check'],
        ['zero', 'a'], ['pass', 3], ['step', 'a'], ['next'], ['zero', 'b'], ['pass', 4], ['step', 'b'], ['check']]
    yield 'optimisers', 'two of the same parameters in turn', [
        ['optimizer', 'a', 'momentum', ALL, 0.05], ['optimizer', 'b', 'adam', ALL, 0.02],
        ['zero', 'a'], ['pass', 0], ['step', 'a'], ['next'], ['zero', 'b'], ['pass', 1], ['step', 'b'], ['check'],
        ['zero', 'a'], ['pass', 2], ['step', 'a'], ['next'], ['zero', 'b'], ['pass', 3], ['step', 'b'], ['check']]
    yield 'optimisers', 'two steps for one gradient', [
        ['optimizer', 'a', 'adam', ALL, 0.02], ['zero', 'a'], ['pass', 0], ['step', 'a'], ['step', 'a'], ['check'],
        ['zero', 'a'], ['pass', 1], ['step', 'a'], ['step', 'a'], ['check']]
    yield 'assigned', 'gradient to none', [
        ['optimizer', 'a', 'momentum', ALL, 0.1], *iterations(0, 1), ['zero', 'a'], ['pass', 1], ['grad', 'conv.weight', None],
        ['step', 'a'], ['check'], *iterations(2, 2)]
    yield 'assigned', 'gradient to a tensor', [
        ['optimizer', 'a', 'sgd', ALL, 0.1], ['grad', 'conv.weight', 1], ['step', 'a'], ['check'],
        ['zero', 'a'], ['pass', 0], ['grad', 'head.weight', 2], ['step', 'a'], ['check'], *iterations(1, 2)]
    yield 'assigned', 'gradient to a tensor that a pass adds to', [
        ['optimizer', 'a', 'adam', ALL, 0.02], ['zero', 'a'], ['grad', 'conv.weight', 1], ['pass', 0], ['step', 'a'], ['check'],
        ['zero', 'a'], ['grad', 'conv.weight', 2], ['pass', 1], ['step', 'a'], ['check'], *iterations(2, 1)]
    yield 'assigned', 'gradient to none before each pass', [
        ['grad', 'head.weight', None], ['pass', 0], ['check'], ['grad', 'head.weight', None], ['pass', 1], ['check'],
        ['grad', 'head.weight', None], ['pass', 2], ['check']]
    yield 'loaded', 'weights between backward and step', [
        ['optimizer', 'a', 'sgd', ALL, 0.1], ['zero', 'a'], ['pass', 0], ['load', 1], ['step', 'a'], ['check'], *iterations(1, 2)]
    yield 'loaded', 'weights between steps', [
        ['optimizer', 'a', 'adam', ALL, 0.02], *iterations(0, 2), ['load', 2], *iterations(2, 2), ['load', 3], ['check']]
    yield 'refused', 'backward after a step', [
        ['optimizer', 'a', 'sgd', ALL, 0.1], *iterations(0, 1), ['zero', 'a'], ['pass', 1], ['forward', 2], ['step', 'a'],
        ['refused', ['backward']]]
    yield 'refused', 'backward after weights are loaded', [
        ['forward', 0], ['load', 1], ['refused', ['backward']]]
    yield 'refused', 'a second backward', [
        ['forward', 0], ['backward'], ['refused', ['backward']]]


def random_program(r):
    """A training with whatever may happen between two iterations."""
    program = [['load', r.randint(1, 99)]] if r.random() < 0.3 else []
    names = r.choice([['a'], ['a'], ['a', 'b']])
    shares = [ALL] if len(names) == 1 else [BODY, HEAD]
    kinds = ['sgd', 'momentum', 'nesterov', 'adam', 'adamw']
    make = lambda name, share: ['optimizer', name, r.choice(kinds), share, r.choice([0.02, 0.05])]
    program += [make(name, share) for name, share in zip(names, shares)]
    data = 0
    frozen = False
    for _ in range(4):
        for step in range(2):
            if r.random() < 0.8:
                program += [['zero', name] for name in names]
            loss = r.choice(['all', 'all', 'all', 'head', 'body'])
            # Frozen, the body's loss would depend on no parameter.
            loss = 'all' if frozen else loss
            for _ in range(r.choice([1, 1, 2])):
                program.append(['pass', data, loss, r.choice([1, 1, 1, 2])])
                data += 1
            name = r.choice(names)
            clips = r.random() < 0.2
            if clips:
                program.append(['clip', name, 0.2])
            steps = names if r.random() < 0.6 else [name]
            # Right after the clipping, which is a part of it.
            program += [['step', n] for n in (sorted(steps, key=lambda n: n != name) if clips else steps)]
            program.append(['next'] if step == 0 else ['check'])
        what = r.choice(['lr', 'mode', 'freeze', 'load', 'optimizer', 'grad', 'none', 'derive'])
        index = r.randrange(len(names))
        if what == 'lr':
            program.append(['lr', names[index], r.choice([0.01, 0.1])])
        elif what == 'mode':
            program.append([r.choice(['train', 'eval'])])
        elif what == 'freeze':
            frozen = not frozen
            program.append(['freeze' if frozen else 'unfreeze', BODY])
        elif what == 'load':
            program.append(['load', r.randint(1, 99)])
        elif what == 'optimizer':
            program.append(make(names[index], shares[index]))
        elif what == 'grad':
            name = r.choice(PARAMETERS)
            if not (frozen and name in BODY):
                program.append(['grad', name, r.choice([None, r.randint(1, 99)])])
        elif what == 'derive':
            program.append(['derive', r.choice(PARAMETERS), 2.0])
    return program


def programs():
    yield from plain_programs()
    for seed in range(10):
        yield 'random', f'program {seed}', random_program(random.Random(seed))


def rounded(array):
    return [float(f'{value:.8g}') for value in array]


if __name__ == '__main__':
    torch.manual_seed(0)
    lines = []
    for group, name, program in programs():
        exact, single = Machine(torch.float64), Machine(torch.float32)
        for operation in program:
            exact.run(operation)
            single.run(operation)
        checks = [
            {'f32': max(relative(theirs[key], mine[key]) for key in mine), 'tensors': {key: rounded(mine[key]) for key in mine}}
            for mine, theirs in zip(exact.checks, single.checks)
        ]
        worst = max([check['f32'] for check in checks], default=0)
        print(f'{group}: {name}: {len(program)} operations, {len(checks)} checks, f32 at most {worst:.1e} off')
        for check in checks:
            check['f32'] = float(f"{check['f32']:.2g}")
        lines.append(json.dumps({'group': group, 'name': name, 'program': program, 'checks': checks}, separators=(',', ':')))
    with open(PATH, 'w') as file:
        file.write('{"programs":[\n' + ',\n'.join(lines) + '\n]}\n')
    print(f'{len(lines)} programs, {os.path.getsize(PATH)} bytes')
