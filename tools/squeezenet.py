"""SqueezeNet 1.1 with batch norm, for its Places365 weights, without the classifier: the oracle of src/avsc/models/squeezenet.ts."""
import torch
import torch.nn.functional as F
from torch import nn


class ConvNorm(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-4)

    def forward(self, x):
        return F.leaky_relu(self.norm(self.conv(x)), 0.55)


class Fire(nn.Module):
    def __init__(self, inputs, squeeze, expand):
        super().__init__()
        self.squeeze = ConvNorm(inputs, squeeze, 1)
        self.expand1x1 = ConvNorm(squeeze, expand, 1)
        self.expand3x3 = ConvNorm(squeeze, expand, 3)

    def forward(self, x):
        x = self.squeeze(x)
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1)


class SqueezeNetExtractor(nn.Module):
    """[N, 3, S, S] -> the mean over the last map; `groups` has (squeeze, expand) of the fire modules behind each pooling."""

    def __init__(self, stem, groups, size):
        super().__init__()
        self.register_buffer('mean_image', torch.zeros(3, size, size))
        self.conv1 = ConvNorm(3, stem, 3, 2)
        self.groups = groups
        inputs, number = stem, 2
        for squeeze, expand in (fire for group in groups for fire in group):
            self.add_module(f'fire{number}', Fire(inputs, squeeze, expand))
            inputs, number = 2 * expand, number + 1

    def forward(self, x):
        x = self.conv1(x - self.mean_image)
        number = 2
        for group in self.groups:
            x = F.max_pool2d(x, 3, 2)
            for _ in group:
                x = getattr(self, f'fire{number}')(x)
                number += 1
        return x.mean((2, 3))
