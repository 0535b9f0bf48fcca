"""The published architectures with hash weights (hash_weights.py) against PyTorch. Writes test/fixtures/models.

zoo.safetensors and zoo.json hold logits in eval mode, f64, of whole nets with 365 classes, of picture nets on an odd size (so that
ceil mode of poolings matters), and PyTorch f32's own distance. NAME.* of small nets are as model_cases.py writes them.
baseline.* holds what PyTorch makes of the published checkpoint of the challenge's baseline, if it is in ../shared.
"""
import os
import sys

import torch
import torchvision
from hash import values
from hash_weights import load_hash_weights
from model_cases import FOLDER, write_net
from nets import BaselineFusion, BaselineHead, Cnn1d, HybridFusion, OpenL3, SideBySide, resnet_audio, without_head
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
    'resnet50_bottom': lambda: bottom_of_resnet50(),
    'resnet50_audio': lambda: resnet_audio(Bottleneck, [3, 4, 6, 3], CLASSES),
    'openl3_audio': lambda: OpenL3(1, classes=CLASSES),
    'openl3_image': lambda: OpenL3(3, relu_first=(2,), classes=CLASSES),
    'cnn1d': lambda: Cnn1d(classes=CLASSES),
}

INPUTS = {
    'resnet50_audio': (1, 6, 128, 39),
    'openl3_audio': (1, 1, 64, 51),
    'openl3_image': (1, 3, 56, 56),
    'cnn1d': (1, 2, 48_000),
}


def bottom_of_resnet50():
    net = without_head(torchvision.models.resnet50(), 3)
    net.fc = nn.Linear(1024, CLASSES)
    return net


def logits(make, name, dtype):
    net = load_hash_weights(make().to(dtype)).eval()
    with torch.no_grad():
        return net, net(torch.from_numpy(values(f'{name}/x', INPUTS.get(name, PICTURES), 'uniform')).to(dtype)).numpy()


def write_zoo():
    rows, tensors = [], {}
    for name, make in ZOO.items():
        net, exact = logits(make, name, torch.float64)
        _, single = logits(make, name, torch.float32)
        tensors[name] = stored(exact)
        count = sum(p.numel() for p in net.parameters())
        rows.append({'name': name, 'input': list(INPUTS.get(name, PICTURES)), 'parameters': count, 'f32': float(f'{relative(single, exact):.3g}')})
        print(f'{name}: {count} parameters, logits up to {abs(exact).max():.3g}, f32 distance {rows[-1]["f32"]:.2g}')
    head = {'torch': torch.__version__, 'classes': CLASSES}
    write_json(os.path.join(FOLDER, 'zoo.json'), head, 'nets', rows)
    write_safetensors(os.path.join(FOLDER, 'zoo.safetensors'), tensors)


BASELINE = os.path.join(os.path.dirname(__file__), '..', '..', 'shared', 'checkpoints', 'dcase2021-baseline-audio-video.pt')


def write_baseline():
    """The published early fusion: one head on both embeddings side by side, in PyTorch as its repository defines it."""
    if not os.path.exists(BASELINE):
        print(f'baseline: there is no {BASELINE}')
        return
    layers = []
    for inputs, outputs in ((1024, 512), (512, 128), (128, 64)):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(p=0.2)]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    nn.ModuleDict({'model': model}).load_state_dict(torch.load(BASELINE, map_location='cpu'))
    model.eval()
    x = torch.from_numpy(values('baseline/x', (16, 1024), 'normal'))
    tensors, distances = {}, {}
    with torch.no_grad():
        singles = {'embedding': model[:5](x), 'logits': model(x)}
        model.double()
        for key, part in (('embedding', model[:5]), ('logits', model)):
            exact = part(x.double()).numpy()
            tensors[key] = stored(exact)
            distances[key] = float(f'{relative(singles[key].numpy(), exact):.3g}')
    head = {'torch': torch.__version__, 'input': list(x.shape)}
    write_json(os.path.join(FOLDER, 'baseline.json'), head, 'f32', [distances])
    write_safetensors(os.path.join(FOLDER, 'baseline.safetensors'), tensors)
    print(f'baseline: f32 distances {distances}')


def resnet_extractor(block, layers):
    """torchvision's ResNet without layer4 and fc."""
    return without_head(ResNet(block, [*layers, 1]), 3)


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
    'resnet_audio_small': lambda: write_net(
        'resnet_audio_small', lambda: without_head(resnet_audio(Bottleneck, [1, 1, 1, 1]), 2), (3, 6, 64, 39)),
    'openl3_audio_small': lambda: write_net(
        'openl3_audio_small', lambda: OpenL3(1, (8, 12, 16, 24)), (3, 1, 48, 37)),
    'openl3_image_small': lambda: write_net(
        'openl3_image_small', lambda: OpenL3(3, (8, 12, 16, 24), (2,)), (3, 3, 40, 40)),
    'cnn1d_small': lambda: write_net(
        'cnn1d_small', lambda: Cnn1d(2, 16, 4, ((8,), (8, 12), (16,))), (4, 2, 1024)),
    'baseline_head': lambda: write_net('baseline_head', lambda: BaselineHead(24, dropout=0.0), (16, 24)),
    'baseline_fusion': lambda: write_net(
        'baseline_fusion', lambda: SideBySide(24, BaselineFusion(24, 40, dropout=0.0)), (16, 64)),
    'hybrid_fusion': lambda: write_net('hybrid_fusion', lambda: SideBySide(24, HybridFusion(24, 40)), (16, 64)),
    'baseline': write_baseline,
}

if __name__ == '__main__':
    for case in sys.argv[1:] or CASES:
        CASES[case]()
