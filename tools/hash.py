"""Deterministic values from (name, index). test/support/hash.ts computes the same bits, so no large fixture need be stored.

word(name, i)    = mix(mix(i) ^ fnv1a(name)), 32 bits
uniform(name, i) = (word >> 8) / 2^23 - 1, in [-1, 1), exact in f32
normal(name, i)  = the sum of the four 16-bit halves of words 2i and 2i + 1, centred and scaled to variance 1
"""
import numpy as np

NORMAL_SCALE = np.sqrt(3.0) / 65536.0


def fnv1a(name):
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return np.uint32(value)


def mix(x):
    """Finaliser of Chris Wellons' hash prospector (16, 0x21f0aaad, 15, 0xd35a2d97, 15); a bijection of 32-bit words."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x21F0AAAD)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0xD35A2D97)
    return x ^ (x >> np.uint32(15))


def words(name, count, start=0):
    return mix(mix(np.arange(start, start + count, dtype=np.uint32)) ^ fnv1a(name))


def uniform(name, count):
    return ((words(name, count) >> np.uint32(8)).astype(np.float64) / 2**23 - 1).astype(np.float32)


def normal(name, count):
    pairs = words(name, 2 * count).reshape(count, 2)
    halves = (pairs & np.uint32(0xFFFF)) + (pairs >> np.uint32(16))
    return ((halves.sum(1, dtype=np.int64) - 131070) * NORMAL_SCALE).astype(np.float32)


def values(name, shape, kind, scale=1.0):
    """An input of a case as numpy f32 (kinds `index:N`: int32 below N); kinds are listed in test/support/hash.ts too."""
    count = int(np.prod(shape))
    if kind.startswith('index:'):
        return (words(name, count) % np.uint32(int(kind[6:]))).astype(np.int32).reshape(shape)
    u = uniform(name, count).astype(np.float64)
    made = {
        'uniform': lambda: u,
        'normal': lambda: normal(name, count).astype(np.float64),
        'unit': lambda: (u + 1) / 2,
        'positive': lambda: 0.1 + np.abs(u),
        'halfZero': lambda: np.maximum(u, 0),
        'mask': lambda: (u > 0).astype(np.float64),
    }[kind]()
    return (scale * made).astype(np.float32).reshape(shape)
