"""The nets of this project as PyTorch defines them: the oracle of src/avsc/models. Keys of the state dicts are the same there.

FCNN          norm0.{weight,bias,running_*}                       input BN over the 6 channels
              block{1,2,3}.conv{i}.weight, block{b}.norm{i}.*      conv, BN, ReLU
              block4.conv1.weight, block4.norm1.running_*          1x1 conv, BN without scale and shift, ReLU
              norm_out.running_*                                   BN without scale and shift
              attention.fc1.{weight,bias}, attention.fc2.*         shared by the average and the maximum branch
DenseNet      torchvision's keys; the extractor has features.* and no classifier
ResNetAudio   torchvision's keys; conv1 takes 6 channels
OpenL3        norm0, conv1, norm1, .., conv8
Cnn1d         features.conv{block}_{i}.weight, features.norm{block}_{i}.*
FusionMLP     fc1 .. fc4
BaselineHead  fc1, norm1, fc2, norm2, fc3, norm3, fc4
BaselineFusion  audio.{fc1,norm1,fc2}, video.*, fc1, fc2
HybridFusion  early.fc1 .. early.fc4, audio_head, video_head
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


def resnet_audio(block, layers, classes=1000):
    """torchvision's ResNet whose first convolution takes the 6 channels of log-mel features."""
    net = torchvision.models.resnet.ResNet(block, layers, num_classes=classes)
    net.conv1 = nn.Conv2d(6, 64, 7, 2, 3, bias=False)
    return net


def without_head(net, layers=4):
    """torchvision's ResNet without `fc`, and without the layers after the first `layers`."""
    for i in range(layers + 1, 5):
        setattr(net, f'layer{i}', nn.Identity())
    net.fc = nn.Identity()
    return net


class OpenL3(nn.Module):
    """OpenL3's embedding nets, from openl3/models.py of marl/openl3: Keras' Conv2D has a bias and BatchNormalization eps 1e-3.

    The image net has ReLU before batch norm after its second convolution (relu_first). Pooling by (32, 24) or (28, 28) is the
    maximum of the whole map of a full-size input.
    """

    def __init__(self, channels, widths=(64, 128, 256, 512), relu_first=(), classes=None):
        super().__init__()
        self.relu_first = relu_first
        self.norm0 = nn.BatchNorm2d(channels, **NORM)
        outputs = [width for width in widths for _ in range(2)]
        self.count = len(outputs)
        for i, width in enumerate(outputs, 1):
            self.add_module(f'conv{i}', nn.Conv2d(channels, width, 3, padding=1))
            if i < self.count:
                self.add_module(f'norm{i}', nn.BatchNorm2d(width, **NORM))
            channels = width
        self.fc = nn.Linear(channels, classes) if classes else nn.Identity()

    def forward(self, x):
        x = self.norm0(x)
        for i in range(1, self.count):
            x = getattr(self, f'conv{i}')(x)
            norm = getattr(self, f'norm{i}')
            x = norm(F.relu(x)) if i in self.relu_first else F.relu(norm(x))
            if i % 2 == 0:
                x = F.max_pool2d(x, 2)
        x = getattr(self, f'conv{self.count}')(x)
        return self.fc(F.max_pool2d(x, x.shape[2:]).flatten(1))


class Cnn1d(nn.Module):
    """M11 on the waveform [N, 2, samples], its layers as PyTorch's 1-D layers with kernels [out, in, 1, length] in the state dict."""

    def __init__(self, channels=2, kernel=480, stride=24, blocks=((64,), 2 * (64,), 3 * (128,), 3 * (256,), 2 * (512,)), classes=None):
        super().__init__()
        self.blocks = blocks
        self.features = nn.Module()
        for b, widths in enumerate(blocks, 1):
            for i, width in enumerate(widths, 1):
                length, step = (kernel, stride) if b == i == 1 else (3, 1)
                conv = nn.Conv2d(channels, width, (1, length), (1, step), (0, (length - step) // 2), bias=False)
                self.features.add_module(f'conv{b}_{i}', conv)
                self.features.add_module(f'norm{b}_{i}', nn.BatchNorm2d(width))
                channels = width
        self.fc = nn.Linear(channels, classes) if classes else nn.Identity()

    def forward(self, x):
        for b, widths in enumerate(self.blocks, 1):
            if b > 1:
                x = F.max_pool1d(x, 4)
            for i in range(1, len(widths) + 1):
                conv, norm = (getattr(self.features, f'{kind}{b}_{i}') for kind in ('conv', 'norm'))
                x = F.conv1d(x, conv.weight[:, :, 0], None, conv.stride[1], conv.padding[1])
                x = F.relu(F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, self.training, norm.momentum))
        return self.fc(x.mean(2))


class BaselineStem(nn.Module):
    """train/model.py of shanwangshan/TAU-urban-audio-visual-scenes up to its second Linear."""

    def __init__(self, inputs, dropout=0.2):
        super().__init__()
        self.dropout = dropout
        self.fc1, self.norm1, self.fc2 = nn.Linear(inputs, 512), nn.BatchNorm1d(512), nn.Linear(512, 128)

    def embed(self, x):
        return self.fc2(F.dropout(F.relu(self.norm1(self.fc1(x))), self.dropout, self.training))


class BaselineHead(BaselineStem):
    def __init__(self, inputs, classes=10, dropout=0.2):
        super().__init__(inputs, dropout)
        self.norm2, self.fc3 = nn.BatchNorm1d(128), nn.Linear(128, 64)
        self.norm3, self.fc4 = nn.BatchNorm1d(64), nn.Linear(64, classes)

    def forward(self, x):
        x = F.dropout(F.relu(self.norm2(self.embed(x))), self.dropout, self.training)
        return self.fc4(F.dropout(F.relu(self.norm3(self.fc3(x))), self.dropout, self.training))


class BaselineFusion(nn.Module):
    """train_combine of the same repository: the first five layers of both heads, then model_combine.py's two Linears."""

    def __init__(self, audio, video, classes=10, dropout=0.2):
        super().__init__()
        self.audio, self.video = BaselineStem(audio, dropout), BaselineStem(video, dropout)
        self.fc1, self.fc2 = nn.Linear(256, 128), nn.Linear(128, classes)

    def forward(self, audio, video):
        return self.fc2(self.fc1(torch.cat([self.audio.embed(audio), self.video.embed(video)], 1)))


class HybridFusion(nn.Module):
    """log of the mean of the early probabilities and the late ones, which are the mean of two linear heads' probabilities."""

    def __init__(self, audio, video, classes=10):
        super().__init__()
        self.early = FusionMLP(audio + video, classes)
        self.audio_head, self.video_head = nn.Linear(audio, classes), nn.Linear(video, classes)

    def forward(self, audio, video):
        early = self.early(torch.cat([audio, video], 1)).softmax(1)
        late = (self.audio_head(audio).softmax(1) + self.video_head(video).softmax(1)) / 2
        return torch.log((early + late) / 2)


class SideBySide(nn.Module):
    """A fusion of two embeddings that are given as one tensor, the first `split` columns of it sound."""

    def __init__(self, split, net):
        super().__init__()
        self.split, self.net = split, net

    def forward(self, x):
        return self.net(x[:, :self.split], x[:, self.split:])


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
