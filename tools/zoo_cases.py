"""The published architectures with hash weights (hash_weights.py) against PyTorch. Writes test/fixtures/models.

zoo.safetensors and zoo.json hold logits in eval mode, f64, of whole nets with 365 classes on pictures of an odd size (so that
ceil mode of poolings matters), and PyTorch f32's own distance. NAME.* of small nets are as model_cases.py writes them.
"""
import os
import sys

import torch
import torchvision
from hash import values
from hash_weights import load_hash_weights
from model_cases import FOLDER, write_net
from oracle import relative, stored, write_json, write_safetensors
from resnest import ResNeSt
from squeezenet import SqueezeNetExtractor
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

CLASSES = 365
PICTURES = (1, 3, 100, 100)

ZOO = {
    'resnet18': lambda: torchvision.models.resnet18(num_classes=CLASSES),
    'resnet50': lambda: torchvision.models.resnet50(num_classes=CLASSES),
    'densenet161': lambda: torchvision.models.densenet161(num_classes=CLASSES),
    'resnest50': lambda: ResNeSt(classes=CLASSES),
}


def logits(make, name, dtype):
    net = load_hash_weights(make().to(dtype)).eval()
    with torch.no_grad():
        return net, net(torch.from_numpy(values(f'{name}/x', PICTURES, 'uniform')).to(dtype)).numpy()


def write_zoo():
    rows, tensors = [], {}
    for name, make in ZOO.items():
        net, exact = logits(make, name, torch.float64)
        _, single = logits(make, name, torch.float32)
        tensors[name] = stored(exact)
        count = sum(p.numel() for p in net.parameters())
        rows.append({'name': name, 'parameters': count, 'f32': float(f'{relative(single, exact):.3g}')})
        print(f'{name}: {count} parameters, logits up to {abs(exact).max():.3g}, f32 distance {rows[-1]["f32"]:.2g}')
    head = {'torch': torch.__version__, 'classes': CLASSES, 'input': list(PICTURES)}
    write_json(os.path.join(FOLDER, 'zoo.json'), head, 'nets', rows)
    write_safetensors(os.path.join(FOLDER, 'zoo.safetensors'), tensors)


def resnet_extractor(block, layers):
    """torchvision's ResNet without layer4 and fc."""
    net = ResNet(block, [*layers, 1])
    net.layer4 = net.fc = nn.Identity()
    return net


SMALL_SQUEEZENET = (16, [[(8, 16)], [(8, 24), (12, 24)]], 33)

CASES = {
    'zoo': write_zoo,
    # With these seeds no ReLU and no maximum is so near a tie that rounding decides it.
    'resnet_basic': lambda: write_net(
        'resnet_basic', lambda: resnet_extractor(BasicBlock, [1, 1, 1]), (4, 3, 64, 64), 'resnet_basic_a'),
    'resnet_bottleneck': lambda: write_net(
        'resnet_bottleneck', lambda: resnet_extractor(Bottleneck, [2, 1, 1]), (4, 3, 64, 64), 'resnet_bottleneck_g'),
    'resnest_small': lambda: write_net(
        'resnest_small', lambda: ResNeSt((2, 1, 1), width=16), (6, 3, 41, 41), 'resnest_small_b'),
    'squeezenet_small': lambda: write_net(
        'squeezenet_small', lambda: SqueezeNetExtractor(*SMALL_SQUEEZENET), (4, 3, 33, 33)),
}

if __name__ == '__main__':
    for case in sys.argv[1:] or CASES:
        CASES[case]()
