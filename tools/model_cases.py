"""Whole nets with hash weights (hash_weights.py) in PyTorch f64 and f32. Writes test/fixtures/models.

NAME.safetensors holds, for the input `SEED/x` (uniform) and the upstream gradient `SEED/dy` (uniform):
  eval/out                 in eval mode
  train/out                in train mode, dropout off
  grad/KEY, grad/input     gradients of sum(train/out * dy)
  stat/KEY                 running statistics after the train pass
NAME.json holds the seed, the shapes and, for each, PyTorch f32's own distance from f64: `f32` is the worst of many roundings
and `typical` their median. For a gradient of zero (`zero`), both are norms instead.
joint.json: losses of 20 training steps.
"""
import itertools
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from hash import uniform, values, words
from hash_weights import load_hash_weights
from nets import FCNN, JointNet, densenet161, small_densenet_extractor
from oracle import relative, stored, write_json, write_safetensors

NUDGES = 8
ZERO = 1e-9
FOLDER = os.path.join(os.path.dirname(__file__), '..', 'test', 'fixtures', 'models')


def run_net(make, seed, shape, dtype, nudge=0):
    x = nudged(torch.from_numpy(values(f'{seed}/x', shape, 'uniform')), nudge).to(dtype)
    net = load_hash_weights(make().to(dtype))
    results = {}
    with torch.no_grad():
        results['eval/out'] = net.eval()(x)
    net.train()
    x.requires_grad_()
    out = net(x)
    out.backward(torch.from_numpy(values(f'{seed}/dy', tuple(out.shape), 'uniform')).to(dtype))
    results['train/out'] = out
    results['grad/input'] = x.grad
    results.update({f'grad/{key}': p.grad for key, p in net.named_parameters()})
    results.update({f'stat/{key}': b for key, b in net.named_buffers() if b.is_floating_point()})
    return {key: value.detach().numpy() for key, value in results.items()}


def nudged(x, nudge):
    """x with its last bits changed at random, differently for each nudge; unchanged for nudge 0."""
    if nudge == 0:
        return x
    signs = torch.from_numpy(uniform(f'nudge{nudge}', x.numel())).sign().reshape(x.shape)
    return x * (1 + 2.0**-23 * signs)


def many_roundings(compute, nudges):
    """compute(nudge) in f32 with different roundings: with and without oneDNN, with the input's last bits changed or not.

    What f32 gives for one tensor depends on luck, where one ReLU of a hundred goes to the other side or does not; the
    worst of many depends on it less.
    """
    results = []
    for mkldnn, nudge in itertools.product((True, False), range(nudges)):
        with torch.backends.mkldnn.flags(enabled=mkldnn):
            results.append(compute(nudge))
    return results


def write_net(name, make, shape, seed=None, nudges=NUDGES):
    seed = seed or name
    exact = run_net(make, seed, shape, torch.float64)
    singles = many_roundings(lambda nudge: run_net(make, seed, shape, torch.float32, nudge), nudges)
    write_results(name, {'torch': torch.__version__, 'seed': seed, 'input': list(shape)}, exact, singles)


def write_results(name, head, exact, singles, keep=lambda key, value: stored(value)):
    """Writes what `keep` leaves of each tensor of `exact`, and the distances of those of `singles` from it."""
    rows = []
    for key, value in exact.items():
        # The gradient of a bias before batch norm is zero. Its computed value is rounding, and is judged by its own norm.
        zero = np.linalg.norm(value) < ZERO
        distances = [np.linalg.norm(single[key]) if zero else relative(single[key], value) for single in singles]
        rows.append({'name': key, 'shape': list(value.shape), 'f32': float(f'{max(distances):.3g}'),
                     'typical': float(f'{np.median(distances):.3g}'), **({'zero': True} if zero else {})})
    write_json(os.path.join(FOLDER, f'{name}.json'), head, 'tensors', rows)
    write_safetensors(os.path.join(FOLDER, f'{name}.safetensors'), {key: keep(key, value) for key, value in exact.items()})
    for kind in ('eval', 'train', 'grad', 'stat'):
        chosen = [row for row in rows if row['name'].startswith(kind)]
        if not chosen:
            continue
        print(f'{name} {kind}: f32 distance median {np.median([row["typical"] for row in chosen]):.2g}, '
              f'worst {max(row["f32"] for row in chosen):.2g}')


# Narrow nets, so that 20 steps take seconds on a software adapter too.
JOINT = dict(steps=20, batches=4, batch=8, features=64, widths=[16, 32, 64], audio=[8, 6, 128, 39],
             frames=[8, 2, 3, 48, 48], classes=10, learningRate=1e-4, weightDecay=1e-5)
PATCHES, NOISE = 4, 0.2


def patterned(name, shape):
    """PATCHES x PATCHES patches of one value each, plus noise. In pure noise every channel has the same mean, and batch norm
    amplifies rounding until two runs in f32 have nothing in common."""
    patches = values(f'{name}/patches', (*shape[:-2], PATCHES, PATCHES), 'uniform')
    rows, columns = (np.arange(size) * PATCHES // size for size in shape[-2:])
    return patches[..., rows, :][..., columns] + np.float32(NOISE) * values(name, tuple(shape), 'uniform')


def soft_labels(name, rows, classes):
    """Mixup labels: ratio `unit` for class one, the rest for class two."""
    ratio = values(f'{name}/ratio', (rows,), 'unit')
    one = words(f'{name}/one', rows) % np.uint32(classes)
    two = words(f'{name}/two', rows) % np.uint32(classes)
    labels = np.zeros((rows, classes), np.float32)
    for i in range(rows):
        labels[i, one[i]] += ratio[i]
        labels[i, two[i]] += np.float32(1) - ratio[i]
    return labels


def joint_losses(dtype, nudge=0):
    video = small_densenet_extractor()
    audio = FCNN(JOINT['features'], widths=JOINT['widths'], dropout=0.0)
    net = JointNet(audio, JOINT['features'], video, video.out_features, JOINT['classes'])
    net = load_hash_weights(net.to(dtype)).train()
    adam = torch.optim.Adam(net.parameters(), lr=JOINT['learningRate'], weight_decay=JOINT['weightDecay'])
    losses = []
    for step in range(JOINT['steps']):
        name = f'joint/batch{step % JOINT["batches"]}'
        audio, frames = (nudged(torch.from_numpy(patterned(f'{name}/{part}', JOINT[part])), nudge).to(dtype)
                         for part in ('audio', 'frames'))
        labels = torch.from_numpy(soft_labels(name, JOINT['batch'], JOINT['classes'])).to(dtype)
        loss = F.cross_entropy(net(audio, frames), labels)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return losses


def write_joint():
    exact = joint_losses(torch.float64)
    singles = many_roundings(lambda nudge: joint_losses(torch.float32, nudge), 4)
    rows = [{'loss': loss, 'f32': float(f'{max(abs(other - loss) for other in others) / loss:.3g}')}
            for loss, *others in zip(exact, *singles)]
    write_json(os.path.join(FOLDER, 'joint.json'), {'torch': torch.__version__, **JOINT}, 'losses', rows)
    print(f'joint: loss {exact[0]:.4f} to {exact[-1]:.4f}, worst f32 distance {max(row["f32"] for row in rows):.2g}')


MODELS = {
    # With this seed no ReLU and no maximum is so near a tie that rounding decides it (true for two seeds in three).
    'fcnn': lambda: write_net('fcnn', lambda: FCNN(512, dropout=0.0), (2, 6, 128, 39), 'fcnn_f'),
    'densenet_small': lambda: write_net('densenet_small', small_densenet_extractor, (3, 3, 32, 32)),
    # With so many ReLUs some tie is always near, and the f32 error of a layer varies more than 16 draws show.
    'densenet161': lambda: write_net('densenet161', densenet161, (2, 3, 224, 224), nudges=4 * NUDGES),
    # A smaller case, for adapters on which the other takes minutes.
    'densenet161_96': lambda: write_net('densenet161_96', densenet161, (2, 3, 96, 96), nudges=4 * NUDGES),
    'joint': write_joint,
}

if __name__ == '__main__':
    for model in sys.argv[1:] or MODELS:
        MODELS[model]()
