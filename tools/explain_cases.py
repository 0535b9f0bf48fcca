"""Where a joint net with hash weights looks, in PyTorch f64. Writes test/fixtures/models/explain.json.

The net is the small preset's, its frames are 96 x 96: RGB bytes floor((u + 1) * 127.99) of `explain/frames` (uniform), then
(x / 255 - mean) / std by ImageNet's numbers; its sound is `explain/sound` (uniform).
  cam        Grad-CAM [2, 6, 6] of the scene: relu(sum_c mean(dy / dA_c) A_c), A the map before the mean
  gradient   every 97th element of dy / dx of the sound [6, 128, 39]
  logits
"""
import json
import os

import torch
import torch.nn.functional as F
from hash import uniform
from hash_weights import load_hash_weights
from nets import FCNN, DenseNetExtractor, JointNet

SCENE = 0
SIZE = 96
STRIDE = 97
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PATH = os.path.join(os.path.dirname(__file__), '..', 'test', 'fixtures', 'models', 'explain.json')

if __name__ == '__main__':
    video = DenseNetExtractor(12, (2, 2, 2), 16)
    net = JointNet(FCNN(64, widths=(8, 16, 32), dropout=0), 64, video, video.out_features, 10)
    load_hash_weights(net.double()).eval()
    taken = torch.from_numpy(uniform('explain/frames', 2 * 3 * SIZE * SIZE)).double()
    frames = ((taken + 1) * 127.99).floor().reshape(2, 3, SIZE, SIZE) / 255
    frames = (frames - torch.tensor(MEAN).double()[:, None, None]) / torch.tensor(STD).double()[:, None, None]
    sound = torch.from_numpy(uniform('explain/sound', 6 * 128 * 39)).double().reshape(1, 6, 128, 39).requires_grad_()
    with torch.no_grad():
        found = F.relu(video.features(frames))
    found.requires_grad_()
    seen = found.mean((2, 3)).reshape(1, 2, -1).mean(1)
    logits = net.fusion(torch.cat([net.audio(sound), seen], 1))
    logits[0, SCENE].backward()
    cam = F.relu((found.grad.mean((2, 3), keepdim=True) * found).sum(1))
    # The net as a whole gives the same.
    assert torch.allclose(net(sound, frames[None]), logits)
    case = {
        'torch': torch.__version__,
        'scene': SCENE,
        'size': SIZE,
        'stride': STRIDE,
        'cam': cam.flatten().tolist(),
        'gradient': sound.grad.flatten()[::STRIDE].tolist(),
        'logits': logits[0].tolist(),
    }
    with open(PATH + '.tmp', 'w') as file:
        json.dump(case, file)
        file.write('\n')
    os.replace(PATH + '.tmp', PATH)
