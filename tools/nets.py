"""The nets of this project as PyTorch defines them: the oracle of src/avsc/models. Keys of the state dicts are the same there.

FCNN          norm0.{weight,bias,running_*}                       input BN over the 6 channels
              block{1,2,3}.conv{i}.weight, block{b}.norm{i}.*      conv, BN, ReLU
              block4.conv1.weight, block4.norm1.running_*          1x1 conv, BN without scale and shift, ReLU
              norm_out.running_*                                   BN without scale and shift
              attention.fc1.{weight,bias}, attention.fc2.*         shared by the average and the maximum branch
DenseNet      torchvision's keys; the extractor has features.* and no classifier
FusionMLP     fc1 .. fc4
JointNet      audio.*  video.*  fusion.*
Every BatchNorm also has torch's num_batches_tracked.
"""
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

NORM = dict(eps=1e-3, momentum=0.01)


class ConvBlock(nn.Module):
    """conv{i} (no bias) -> norm{i} -> ReLU for each (in, out, kernel, stride, padding); dropout after all but the last."""

    def __init__(self, convs, affine=True, dropout=0.0):
        super().__init__()
        self.count = len(convs)
        self.dropout = dropout
        for i, (inputs, outputs, kernel, stride, padding) in enumerate(convs, 1):
            self.add_module(f'conv{i}', nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False))
            self.add_module(f'norm{i}', nn.BatchNorm2d(outputs, affine=affine, **NORM))

    def forward(self, x):
        for i in range(1, self.count + 1):
            conv, norm = getattr(self, f'conv{i}'), getattr(self, f'norm{i}')
            x = F.relu(norm(conv(x)))
            if i < self.count:
                x = F.dropout(x, self.dropout, self.training)
        return x


class ChannelAttention(nn.Module):
    """x * sigmoid(mlp(avgpool x) + mlp(maxpool x)), mlp = fc2(relu(fc1)), reduction ratio 2."""

    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // 2)
        self.fc2 = nn.Linear(channels // 2, channels)

    def forward(self, x):
        average = self.fc2(F.relu(self.fc1(x.mean((2, 3)))))
        largest = self.fc2(F.relu(self.fc1(x.amax((2, 3)))))
        return x * torch.sigmoid(average + largest)[:, :, None, None]


class FCNN(nn.Module):
    """[N, 6, mel, frames] -> [N, features]; maps of a 128 x 39 input: 64x20, 32x10, 16x5, 8x2."""

    def __init__(self, features=512, channels=6, widths=(144, 288, 576), dropout=0.3):
        super().__init__()
        a, b, c = widths
        self.norm0 = nn.BatchNorm2d(channels, **NORM)
        self.block1 = ConvBlock([(channels, a, 5, 2, 2), (a, a, 3, 1, 1)])
        self.block2 = ConvBlock([(a, b, 3, 1, 1), (b, b, 3, 1, 1)])
        self.block3 = ConvBlock([(b, c, 3, 1, 1)] + 3 * [(c, c, 3, 1, 1)], dropout=dropout)
        self.block4 = ConvBlock([(c, features, 1, 1, 0)], affine=False)
        self.norm_out = nn.BatchNorm2d(features, affine=False, **NORM)
        self.attention = ChannelAttention(features)

    def forward(self, x):
        x = self.norm0(x)
        x = F.max_pool2d(self.block1(x), 2)
        x = F.max_pool2d(self.block2(x), 2)
        x = F.max_pool2d(self.block3(x), 2)
        x = self.norm_out(self.block4(x))
        return self.attention(x).mean((2, 3))


class DenseNetExtractor(nn.Module):
    """torchvision's DenseNet without its classifier: features -> ReLU -> global average pool."""

    def __init__(self, growth_rate, block_config, num_init_features):
        super().__init__()
        net = torchvision.models.DenseNet(growth_rate, block_config, num_init_features)
        self.features = net.features
        self.out_features = net.classifier.in_features

    def forward(self, x):
        return F.relu(self.features(x)).mean((2, 3))


def densenet161():
    """All 28,681,000 parameters, with ImageNet's 1000 classes."""
    return torchvision.models.densenet161()


def small_densenet_extractor():
    return DenseNetExtractor(12, (2, 2), 16)


class FusionMLP(nn.Module):
    """Linear to 512, 128, 64 and the classes, ReLU between; no BatchNorm, no dropout."""

    def __init__(self, inputs, classes=10):
        super().__init__()
        self.fc1 = nn.Linear(inputs, 512)
        self.fc2 = nn.Linear(512, 128)
        self.fc3 = nn.Linear(128, 64)
        self.fc4 = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc4(F.relu(self.fc3(x)))


class JointNet(nn.Module):
    """Audio [N, 6, mel, frames] and frames [N, 2, 3, H, W] -> logits of E_F = [E_A, E_V].

    E_V is the mean of the two frames' features; the video net sees all 2 N frames as one batch, clip by clip.
    """

    def __init__(self, audio, audio_features, video, video_features, classes=10):
        super().__init__()
        self.audio = audio
        self.video = video
        self.fusion = FusionMLP(audio_features + video_features, classes)

    def forward(self, audio, frames):
        n, count = frames.shape[:2]
        seen = self.video(frames.flatten(0, 1)).reshape(n, count, -1).mean(1)
        return self.fusion(torch.cat([self.audio(audio), seen], 1))
