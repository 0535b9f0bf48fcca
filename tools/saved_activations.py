"""Measures the activations that PyTorch's eager mode saves for backward in a training step, by its own hooks.

    python3 tools/saved_activations.py densenet161 2

Prints the bytes of all distinct storages that autograd saves in the forward pass of a torchvision net on [batch, 3, 224, 224],
parameters and buffers left out, and the same per image. Needs PyTorch 1.10 or later.
"""
import sys

import torch
import torchvision


def saved_bytes(net: torch.nn.Module, batch: int) -> int:
    own = {tensor.storage().data_ptr() for tensor in [*net.parameters(), *net.buffers()]}
    storages: dict[int, int] = {}
    kept = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        pointer = tensor.storage().data_ptr()
        if pointer not in own:
            storages[pointer] = tensor.storage().nbytes()
            kept.append(tensor)  # so that no storage is freed and its address used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = torch.nn.functional.cross_entropy(
            net(torch.zeros(batch, 3, 224, 224)), torch.zeros(batch, dtype=torch.long)
        )
    del loss
    return sum(storages.values())


if __name__ == "__main__":
    name, batch = sys.argv[1], int(sys.argv[2])
    net = getattr(torchvision.models, name)(weights=None, num_classes=10)
    total = saved_bytes(net.train(), batch)
    print(f"{name}, batch {batch}: {total} bytes saved for backward, {total / batch / 2**20:.1f} MiB per image")
