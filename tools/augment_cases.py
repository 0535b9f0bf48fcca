"""Pictures changed by Pillow, one operation each. Writes test/fixtures/augment/pictures.json and rectangles.json: the first 16 hex digits of
the SHA-256 of the RGB bytes [3, height, width]. The scale `original` is written down here from RandAugment's own code (TensorFlow); for `torchvision` its own
functions run, with grey outside."""
import hashlib
import os

import numpy as np
import PIL
import torchvision
from hash import words
from oracle import write_json
from PIL import Image, ImageEnhance, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms.autoaugment import RandAugment, _apply_op

SIZES = (1, 2, 7, 33, 48, 225)
RECTANGLES = ((1, 9), (9, 2), (31, 20), (24, 50), (160, 90))
GREY = (128, 128, 128)
KINDS = ('noise', 'narrow', 'smooth', 'flat')
SIGNED = ('ShearX', 'ShearY', 'TranslateX', 'TranslateY', 'Rotate')
ENHANCE = ('Color', 'Contrast', 'Brightness', 'Sharpness')
NO_MAGNITUDE = ('AutoContrast', 'Equalize', 'Invert', 'Identity')


def planes(kind, width, height):
    """Bytes [3, height, width]; test/avsc/augment/cases.ts makes the same."""
    size = width if width == height else f'{width}x{height}'
    w = words(f'augment/{kind}/{size}', 3 * width * height + 6)
    noise = w[6:].reshape(3, height, width)
    lows, ranges = w[:3] % 100, 1 + w[3:6] % 150
    low, span = (v.astype(np.uint32)[:, None, None] for v in (lows, ranges))
    c, y, x = np.meshgrid(np.arange(3), np.arange(height), np.arange(width), indexing='ij')
    made = {'noise': noise & 255, 'narrow': low + noise % span, 'smooth': (3 * x + 5 * y + 40 * c) & 255, 'flat': low + 0 * noise}
    return made[kind].astype(np.uint8)


def image(array):
    return Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0)))


def digest(*arrays):
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.ascontiguousarray(np.asarray(array).transpose(2, 0, 1)).tobytes())
    return sha.hexdigest()[:16]


def affine(img, *matrix):
    return img.transform(img.size, Image.AFFINE, matrix, fillcolor=GREY)


def original(img, name, m, sign, x, y):
    """distort_image_with_randaugment of RandAugment's code: cutout_const 40, translate_const 100, pixels for 224."""
    width, height = img.size
    level = m / 10
    pixels = lambda const, side: int(level * const * side / 224)
    if name in ENHANCE:
        return getattr(ImageEnhance, name)(img).enhance(level * 1.8 + 0.1)
    if name == 'Cutout':
        array, half = np.array(img), pixels(40, min(width, height))
        array[max(0, y - half):y + half, max(0, x - half):x + half] = 128
        return array
    return {
        'ShearX': lambda: affine(img, 1, sign * level * 0.3, 0, 0, 1, 0),
        'ShearY': lambda: affine(img, 1, 0, 0, sign * level * 0.3, 1, 0),
        'TranslateX': lambda: affine(img, 1, 0, sign * pixels(100, width), 0, 1, 0),
        'TranslateY': lambda: affine(img, 1, 0, 0, 0, 1, sign * pixels(100, height)),
        'Rotate': lambda: img.rotate(sign * level * 30, fillcolor=GREY),
        'Posterize': lambda: ImageOps.posterize(img, int(level * 4)),
        'Solarize': lambda: ImageOps.solarize(img, int(level * 256)),
        'AutoContrast': lambda: ImageOps.autocontrast(img),
        'Equalize': lambda: ImageOps.equalize(img),
        'Invert': lambda: ImageOps.invert(img),
        'Identity': lambda: img,
    }[name]()


def torchvisions(img, name, m, sign):
    """Bin 3 m of 31. A translation's sign is that of the picture's movement there, and that of the coordinates in the original."""
    magnitudes, signed = RandAugment()._augmentation_space(31, img.size[::-1])[name]
    value = float(magnitudes[3 * m])
    if signed:
        value *= -sign if name.startswith('Translate') else sign
    return _apply_op(img, name, value, InterpolationMode.NEAREST, list(GREY))


def rows():
    made = []

    def add(name, m, scale, size, sign, x=0, y=0):
        kind = KINDS[len(made) * 7 % 11 % 4] if name not in ('AutoContrast', 'Equalize') else KINDS[len(made) % 4]
        img = image(planes(kind, size, size))
        out = original(img, name, m, sign, x, y) if scale == 'original' else torchvisions(img, name, m, sign)
        made.append([name, m, scale, size, kind, sign, x, y, digest(out)])

    for name in (*SIGNED, *ENHANCE, 'Posterize', 'Solarize', 'Cutout', *NO_MAGNITUDE):
        for size in SIZES:
            if name in NO_MAGNITUDE:
                for _ in KINDS:
                    add(name, 9, 'original', size, 1)
                continue
            for m in range(1, 11) if size < 225 else (1, 5, 9, 10):
                for sign in (1, -1) if name in SIGNED else (1,):
                    x, y = (int(v) for v in words(f'augment/place/{len(made)}', 2) % size) if name == 'Cutout' else (0, 0)
                    add(name, m, 'original', size, sign, x, y)
    for name in (*SIGNED, *ENHANCE, 'Posterize', 'Solarize'):
        for size in (33, 48):
            for m in range(0, 11):
                for sign in (1, -1) if name in SIGNED + ENHANCE else (1,):
                    add(name, m, 'torchvision', size, sign)
    return made


def rectangles():
    """Every operation on pictures that are no squares, at M = 5 and 9."""
    made = []
    torchvision_names = [*RandAugment()._augmentation_space(31, (1, 1))]
    for width, height in RECTANGLES:
        for name in (*SIGNED, *ENHANCE, 'Posterize', 'Solarize', 'Cutout', *NO_MAGNITUDE):
            for scale in ('original', 'torchvision'):
                if scale == 'torchvision' and (name not in torchvision_names or name in NO_MAGNITUDE):
                    continue
                for m in (5, 9) if name not in NO_MAGNITUDE else (9,):
                    kind, sign = KINDS[len(made) % 4], (1, -1)[len(made) % 3 % 2]
                    x, y = (int(v) for v in words(f'augment/place/{len(made)}', 2) % (width, height)) if name == 'Cutout' else (0, 0)
                    img = image(planes(kind, width, height))
                    out = original(img, name, m, sign, x, y) if scale == 'original' else torchvisions(img, name, m, sign)
                    made.append([name, m, scale, {'width': width, 'height': height}, kind, sign, x, y, digest(out)])
    return made


def stretched():
    """One digest of autocontrast for every lowest and highest byte: in pictures of 16 x 16, channel after channel."""
    pairs = [(low, high) for low in range(256) for high in range(low, 256)]
    pairs += pairs[:-len(pairs) % 3]
    channels = [low + np.arange(256).reshape(16, 16) % (high - low + 1) for low, high in pairs]
    arrays = np.array(channels, np.uint8).reshape(-1, 3, 16, 16)
    return {'pairs': len(pairs), 'digest': digest(*(ImageOps.autocontrast(image(array)) for array in arrays))}


if __name__ == '__main__':
    folder = os.path.join(os.path.dirname(__file__), '..', 'test', 'fixtures', 'augment')
    head = {'pillow': PIL.__version__, 'torchvision': torchvision.__version__, 'autocontrast': stretched()}
    write_json(os.path.join(folder, 'pictures.json'), head, 'cases', rows())
    write_json(os.path.join(folder, 'rectangles.json'), {'pillow': PIL.__version__}, 'cases', rectangles())
