"""Trains the net of ../stripes.ts in PyTorch and saves it, as stripes.pth: python3 make_weights.py"""

import math
from pathlib import Path

import torch
from torch import nn

SIZE = 16
torch.manual_seed(1)


def make_stripes(count):
    """`count` pictures [count, 1, 16, 16] of noisy stripes of random width and place, with their classes."""
    labels = torch.randint(3, (count,))
    row, column = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    along = torch.stack([row, column, 0.7 * (row + column)]).float()[labels]
    frequency = 0.8 + torch.rand(count, 1, 1)
    phase = 2 * math.pi * torch.rand(count, 1, 1)
    noise = 0.5 * (torch.rand(count, SIZE, SIZE) - 0.5)
    return (torch.sin(frequency * along + phase) + noise)[:, None], labels


net = nn.Sequential(
    nn.Conv2d(1, 8, 5, padding=2, bias=False),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(16, 3),
)
adam = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(300):
    images, labels = make_stripes(64)
    loss = nn.functional.cross_entropy(net(images), labels)
    adam.zero_grad()
    loss.backward()
    adam.step()

net.eval()
images, labels = make_stripes(600)
print(f"loss {loss.item():.3f}, {(net(images).argmax(1) == labels).float().mean().item():.1%} right")
torch.save(net.state_dict(), Path(__file__).parent / "stripes.pth")
