"""Time stretch and pitch shift in numpy float64. Writes test/fixtures/sound/*.json.

Usage: python3 tools/sound_cases.py [DATASET]
DATASET is a folder in the layout of TAU Urban Audio-Visual Scenes 2021 (default ../shared/data/tau-mini).
Without it only the synthetic fixture is written. The phase vocoder is that of librosa 0.9 and later, written with angles and
wrapped differences as librosa has it; the TypeScript side multiplies complex numbers instead.
"""
import sys
from pathlib import Path

import numpy as np
from features_reference import RATE, read_wav, synthetic
from oracle import write_json

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / 'test' / 'fixtures' / 'sound'
N_FFT, HOP = 2048, 512
BANDS, SPECTRUM = 64, 2**17
# 12,001 is odd: half of it is rounded to even.
SAMPLES, EVERY = 12001, 61
RATES = (0.5, 0.83, 1.0, 1.37, 2.0)
SEMITONES = (-4.0, -1.3, 0.5, 4.0)
SECOND, REAL_RATES, REAL_SEMITONES = 4, (0.6, 1.7), (-2.5, 3.0)


def window():
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


def stft(x):
    """[1025, 1 + n // 512], frames centered, zeros outside."""
    padded = np.pad(x, N_FFT // 2)
    starts = np.arange(0, len(padded) - N_FFT + 1, HOP)
    return np.fft.rfft(np.stack([padded[s:s + N_FFT] * window() for s in starts])).T


def istft(spectrum, length):
    frames = np.fft.irfft(spectrum.T, N_FFT) * window()
    total = np.zeros((2, max(length + N_FFT, N_FFT + HOP * (len(frames) - 1))))
    for t, frame in enumerate(frames):
        total[0, t * HOP:t * HOP + N_FFT] += frame
        total[1, t * HOP:t * HOP + N_FFT] += window() ** 2
    y, weight = total[:, N_FFT // 2:N_FFT // 2 + length]
    covered = weight > np.finfo(np.float32).tiny
    y[covered] /= weight[covered]
    return y


def phase_vocoder(spectrum, rate):
    steps = np.arange(0, spectrum.shape[1], rate, dtype=np.float64)
    advance = np.linspace(0, np.pi * HOP, spectrum.shape[0])
    phase = np.angle(spectrum[:, 0])
    padded = np.pad(spectrum, [(0, 0), (0, 2)])
    out = np.zeros((spectrum.shape[0], len(steps)), complex)
    for t, step in enumerate(steps):
        now, following = padded[:, int(step)], padded[:, int(step) + 1]
        share = np.mod(step, 1.0)
        out[:, t] = ((1 - share) * np.abs(now) + share * np.abs(following)) * np.exp(1j * phase)
        difference = np.angle(following) - np.angle(now) - advance
        phase = phase + advance + difference - 2 * np.pi * np.round(difference / (2 * np.pi))
    return out


def time_stretch(x, rate):
    return istft(phase_vocoder(stft(x), rate), int(round(len(x) / rate)))


def resample(x, ratio):
    """Kaiser-windowed sinc with the sizes of src/avsc/audio/resample.ts, evaluated without its table."""
    crossings, rolloff, beta = 64, 0.95, 10
    scale = min(1.0, ratio)
    reach = int(crossings / scale) + 1
    padded = np.pad(x, reach)
    out = np.zeros(int(np.ceil(len(x) * ratio)))
    for start in range(0, len(out), 4096):
        time = np.arange(start, min(start + 4096, len(out))) / ratio
        taps = np.floor(time).astype(int)[:, None] + np.arange(-reach + 1, reach + 1)
        distance = (time[:, None] - taps) * scale
        inside = np.sqrt(np.maximum(0, 1 - (distance / crossings) ** 2))
        weights = rolloff * np.sinc(rolloff * distance) * np.i0(beta * inside) / np.i0(beta) * (np.abs(distance) < crossings)
        values = np.where(taps + reach < len(padded), padded[np.minimum(taps + reach, len(padded) - 1)], 0)
        out[start:start + len(time)] = (weights * values).sum(1) * scale
    return out


def pitch_shift(x, semitones):
    rate = 2.0 ** (-semitones / 12)
    shifted = resample(time_stretch(x, rate), rate)[:len(x)]
    return np.pad(shifted, (0, len(x) - len(shifted)))


def bands(x):
    """Decibels of the energy of 64 equal bands of 0..24 kHz."""
    power = np.abs(np.fft.rfft(x, SPECTRUM)[:SPECTRUM // 2]) ** 2
    return [round(float(v), 3) for v in 10 * np.log10(power.reshape(BANDS, -1).sum(1) + 1e-12)]


def rows(name, stereo, rates, semitones, every=None):
    for op, function, values in (('stretch', time_stretch, rates), ('pitch', pitch_shift, semitones)):
        for value in values:
            out = [function(channel.astype(np.float64), value) for channel in stereo]
            row = {'sound': name, 'op': op, 'value': value, 'length': len(out[0]), 'bands': [bands(x) for x in out]}
            if every:
                row['samples'] = [[round(float(v), 8) for v in x[::every]] for x in out]
            yield row


if __name__ == '__main__':
    head = {'bands': BANDS, 'spectrum': SPECTRUM}
    short = synthetic(1)[:, :SAMPLES]
    write_json(str(OUT / 'synthetic.json'), {**head, 'samples': SAMPLES, 'every': EVERY}, 'cases',
               rows('synthetic', short, RATES, SEMITONES, EVERY))
    dataset = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / 'shared' / 'data' / 'tau-mini'
    if not dataset.exists():
        print(f'{dataset} is absent: the fixture of real recordings is left as it is')
        sys.exit()
    cut = slice(SECOND * RATE, (SECOND + 1) * RATE)
    write_json(str(OUT / 'tau-mini.json'), {**head, 'second': SECOND}, 'cases',
               (row for path in sorted((dataset / 'audio').glob('*.wav'))
                for row in rows(path.name, read_wav(path)[:, cut], REAL_RATES, REAL_SEMITONES)))
