"""ResNeSt in PyTorch, from the paper (Zhang et al. 2020, figures 1 and 2, section 3) with the keys of zhanghang1989/ResNeSt.

Radix 2, cardinality 1; ResNet-D's deep stem and average-pooling shortcut; the stride is that of an average pooling after conv2.
"""
import torch
import torch.nn.functional as F
from torch import nn


def bn_relu(norm, x):
    return F.relu(norm(x), inplace=False)


class SplitAttention(nn.Module):
    """U_1, U_2 = the groups' maps; a = softmax over r of fc2(relu(bn1(fc1(mean of U_1 + U_2)))); V = sum_r a_r U_r."""

    def __init__(self, channels, radix=2, reduction=4):
        super().__init__()
        inner = max(channels * radix // reduction, 32)
        self.radix = radix
        self.conv = nn.Conv2d(channels, channels * radix, 3, padding=1, groups=radix, bias=False)
        self.bn0 = nn.BatchNorm2d(channels * radix)
        self.fc1 = nn.Conv2d(channels, inner, 1)
        self.bn1 = nn.BatchNorm2d(inner)
        self.fc2 = nn.Conv2d(inner, channels * radix, 1)

    def forward(self, x):
        u = bn_relu(self.bn0, self.conv(x)).unflatten(1, (self.radix, -1))
        s = u.sum(1).mean((2, 3), keepdim=True)
        z = self.fc2(bn_relu(self.bn1, self.fc1(s))).unflatten(1, (self.radix, -1))
        return torch.einsum('nrchw,nrc->nchw', u, z.softmax(1)[..., 0, 0])


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = SplitAttention(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        if inputs != 4 * width or stride > 1:
            pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
            self.downsample = nn.Sequential(pool, nn.Conv2d(inputs, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width))
        else:
            self.downsample = nn.Identity()

    def forward(self, x):
        y = self.conv2(bn_relu(self.bn1, self.conv1(x)))
        if self.stride > 1:
            y = F.avg_pool2d(y, 3, self.stride, padding=1)
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNeSt(nn.Module):
    """[N, 3, H, W] -> logits [N, classes], or features without classes."""

    def __init__(self, layers=(3, 4, 6, 3), classes=None, width=64):
        super().__init__()
        half = width // 2
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(half), nn.ReLU(),
            nn.Conv2d(half, half, 3, padding=1, bias=False), nn.BatchNorm2d(half), nn.ReLU(),
            nn.Conv2d(half, width, 3, padding=1, bias=False))
        self.bn1 = nn.BatchNorm2d(width)
        self.count = len(layers)
        inputs = width
        for i, count in enumerate(layers):
            blocks = []
            for j in range(count):
                blocks.append(Bottleneck(inputs, width << i, 2 if i > 0 and j == 0 else 1))
                inputs = 4 * (width << i)
            self.add_module(f'layer{i + 1}', nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, classes) if classes else nn.Identity()

    def forward(self, x):
        x = F.max_pool2d(bn_relu(self.bn1, self.conv1(x)), 3, 2, 1)
        for i in range(self.count):
            x = getattr(self, f'layer{i + 1}')(x)
        return self.fc(x.mean((2, 3)))
