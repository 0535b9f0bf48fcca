"""Reference implementation of OpenL3's mel256 spectrogram in numpy float64. Writes test/fixtures/features/openl3*.json.

Usage: python3 tools/openl3_reference.py [DATASET]
DATASET as for features_reference.py. The formulas are librosa's (filters.mel with htk=False and norm='slaney', stft with center=True and
zeros beyond the ends) and kapre's (decibel); nothing here shares code with the TypeScript side.
"""

import sys
from pathlib import Path

import numpy as np

from features_reference import RATE, ROOT, read_wav, second_of, synthetic, write

N_FFT, HOP, MELS = 2048, 242, 256


def hz_to_mel(hz):
    linear = hz / (200 / 3)
    return np.where(hz >= 1000, 15 + np.log(np.maximum(hz, 1) / 1000) / (np.log(6.4) / 27), linear)


def mel_to_hz(mel):
    return np.where(mel >= 15, 1000 * np.exp((np.log(6.4) / 27) * (mel - 15)), (200 / 3) * mel)


def filters():
    """[256, 1025], each of area 1."""
    fft_hz = np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    hz = mel_to_hz(np.linspace(0, hz_to_mel(np.array(RATE / 2)), MELS + 2))
    width = np.diff(hz)
    ramps = hz[:, None] - fft_hz[None]
    bank = np.stack([np.maximum(0, np.minimum(-ramps[i] / width[i], ramps[i + 2] / width[i + 1])) for i in range(MELS)])
    return bank * (2 / (hz[2:] - hz[:-2]))[:, None]


def spectrogram(stereo):
    """[256, 199] of one second [2, 48000]."""
    mono = stereo.astype(np.float64).mean(0)
    padded = np.pad(mono, N_FFT // 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    starts = range(0, len(padded) - N_FFT + 1, HOP)
    frames = np.stack([padded[s : s + N_FFT] * window for s in starts])
    mel = filters() @ np.abs(np.fft.rfft(frames)).T
    db = 10 * np.log10(np.maximum(mel, 1e-10))
    return np.maximum(db - db.max(), -80)


def summary(values, every):
    return {
        "frames": values.shape[1],
        "every": every,
        "spots": [round(float(v), 6) for v in values.ravel()[::every]],
        "mean": float(values.mean()),
        "rms": float(np.sqrt((values**2).mean())),
        "floor": int((values == -80).sum()),
    }


def main():
    bank = filters()
    print(f"Slaney filters: sum {bank.sum():.6f}, empty {(bank.sum(1) == 0).sum()}")
    made = synthetic()
    cases = {f"synthetic {s}": summary(spectrogram(second_of(made, s)), 211) for s in (0, 4)}
    write("openl3.json", {"sum": bank.sum(), "rowSums": bank.sum(1).tolist(), "cases": cases})
    dataset = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data" / "tau-mini"
    if not dataset.exists():
        print(f"{dataset} is absent: the fixture of real recordings is left as it is")
        return
    clips = sorted((dataset / "audio").glob("*.wav"))
    write("openl3-tau-mini.json", {p.name: summary(spectrogram(second_of(read_wav(p), 3)), 499) for p in clips})


if __name__ == "__main__":
    main()
