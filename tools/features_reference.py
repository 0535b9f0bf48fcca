"""Reference implementation of the audio features in numpy float64. Writes test/fixtures/features/*.json.

Usage: python3 tools/features_reference.py [DATASET]
DATASET is a folder in the layout of TAU Urban Audio-Visual Scenes 2021 (default ../shared/data/tau-mini).
Without it only the synthetic fixture is written. Nothing here shares code with the TypeScript side.
"""

import json
import sys
import wave
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "test" / "fixtures" / "features"
RATE, N_FFT, HOP, MELS = 48000, 2048, 1024, 128
SECONDS = (0, 4, 9)


def mel_filters():
    """[128, 1025]: triangles evenly spaced on the HTK mel scale, 0..24 kHz, each with peak 1."""
    hz = np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    mel = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), MELS + 2)
    corners = 700 * (10 ** (mel / 2595) - 1)
    low, centre, high = (corners[i : i + MELS, None] for i in range(3))
    return np.maximum(0, np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre)))


def log_mel(samples):
    """[128, 1 + n // 1024] of one channel."""
    padded = np.pad(samples.astype(np.float64), N_FFT // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    starts = range(0, len(padded) - N_FFT + 1, HOP)
    frames = np.stack([padded[s : s + N_FFT] * window for s in starts])
    power = np.abs(np.fft.rfft(frames)) ** 2
    return np.log(mel_filters() @ power.T + 1e-8)


def deltas(x):
    near = (x[..., 2:] - x[..., :-2]) / 10
    far = (x[..., 4:] - x[..., :-4]) / 5
    return near[..., 1:-1] + far


def features(stereo, value_range=None):
    """[6, 128, frames] of [2, samples]; value_range is (min, max) of the statics, by default their own."""
    static = np.stack([log_mel(channel) for channel in stereo])
    low, high = value_range or (static.min(), static.max())
    static = (static - low) / (high - low)
    first = deltas(static)
    return np.concatenate([static[..., 4:-4], first[..., 2:-2], deltas(first)])


def clip_range(stereo):
    static = np.stack([log_mel(channel) for channel in stereo])
    return static.min(), static.max()


def second_of(stereo, second):
    """Seconds of 48,000 samples; a last second that lacks a few is completed by mirroring."""
    piece = stereo[:, second * RATE : (second + 1) * RATE]
    return np.pad(piece, ((0, 0), (0, RATE - piece.shape[1])), mode="reflect")


def synthetic(seconds=10):
    """Float32 [2, n]: gliding tones that differ between the channels, plus noise from an integer hash."""
    i = np.arange(seconds * RATE, dtype=np.uint64)
    t = i / RATE
    channels = []
    for c in (0, 1):
        noise = ((i * np.uint64(2654435761) + np.uint64(c * 97531)) % np.uint64(2**32)) / 2**32 - 0.5
        slow = 0.5 + 0.4 * np.sin(2 * np.pi * (0.3 + 0.2 * c) * t)
        tone = np.sin(2 * np.pi * (220 + 330 * c) * t + 40 * np.sin(2 * np.pi * 0.7 * t))
        channels.append((0.3 * slow * tone + 0.1 * noise * (1 - slow)).astype(np.float32))
    return np.stack(channels)


def read_wav(path):
    """Float64 [channels, frames] in [-1, 1) of a 24-bit file."""
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 3 and file.getframerate() == RATE
        raw = np.frombuffer(file.readframes(file.getnframes()), np.uint8).reshape(-1, file.getnchannels(), 3)
    low, mid, high = (raw[..., k].astype(np.int32) for k in range(3))
    value = low | (mid << 8) | (high << 16)
    return (np.where(value >= 2**23, value - 2**24, value) / 2**23).T


def summary(values, every):
    """Every Nth value of the flattened array, and per channel the mean and the root mean square."""
    return {
        "frames": values.shape[-1],
        "every": every,
        "spots": [round(float(v), 8) for v in values.ravel()[::every]],
        "mean": [round(float(c.mean()), 9) for c in values],
        "rms": [round(float(np.sqrt((c**2).mean())), 9) for c in values],
    }


def case(stereo, every, seconds):
    clip = clip_range(stereo)
    whole = features(stereo)
    per_second = {s: second_of(stereo, s) for s in seconds}
    return {
        "samples": stereo.shape[1],
        "whole": summary(whole, every * 7),
        "seconds": {s: summary(features(x), every) for s, x in per_second.items()},
        "secondsClipScaled": {s: summary(features(x, clip), every) for s, x in per_second.items()},
    }


def write(name, content):
    OUT.mkdir(parents=True, exist_ok=True)
    temporary = OUT / (name + ".tmp")
    temporary.write_text(json.dumps(content) + "\n")
    temporary.replace(OUT / name)
    print(f"{OUT / name}: {(OUT / name).stat().st_size} bytes")


def main():
    filters = mel_filters()
    print(f"filter bank: sum {filters.sum():.4f}, empty {(filters.sum(1) == 0).sum()}")
    bank = {"sum": filters.sum(), "rowSums": filters.sum(1).tolist(), "peaks": filters.argmax(1).tolist()}
    write("mel.json", bank)
    write("synthetic.json", case(synthetic(), 97, SECONDS))
    dataset = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data" / "tau-mini"
    if not dataset.exists():
        print(f"{dataset} is absent: the fixture of real recordings is left as it is")
        return
    clips = sorted((dataset / "audio").glob("*.wav"))
    write("tau-mini.json", {path.name: case(read_wav(path), 997, SECONDS) for path in clips})


if __name__ == "__main__":
    main()
