"""Pictures of hashed bytes squashed by Pillow's BILINEAR. Writes test/fixtures/pictures.json: SHA-256 of the RGB bytes [3, side, side]."""
import hashlib
import os

import numpy as np
import PIL
from hash import words
from oracle import write_json
from PIL import Image

SIZES = [(1280, 720, 256), (640, 360, 256), (257, 300, 256), (100, 80, 256), (256, 256, 256), (900, 37, 64), (33, 70, 55),
         (1, 1, 16), (2, 500, 3), (3, 2, 1)]


def row(width, height, side):
    values = words(f'picture/{width}x{height}', width * height * 3) & 255
    picture = Image.fromarray(values.astype(np.uint8).reshape(height, width, 3))
    planes = np.asarray(picture.resize((side, side), Image.BILINEAR)).transpose(2, 0, 1)
    digest = hashlib.sha256(np.ascontiguousarray(planes).tobytes()).hexdigest()
    return {'width': width, 'height': height, 'side': side, 'sha256': digest}


if __name__ == '__main__':
    path = os.path.join(os.path.dirname(__file__), '..', 'test', 'fixtures', 'pictures.json')
    write_json(path, {'pillow': PIL.__version__}, 'pictures', [row(*sizes) for sizes in SIZES])
