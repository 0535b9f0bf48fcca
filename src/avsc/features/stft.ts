// Short-time Fourier transform: periodic Hann window, centered frames, power spectrum.

import FFT from 'fft.js';

/** Power spectra of one channel, frame by frame. Keeps its window, FFT and scratch: a frame allocates nothing. */
export class PowerSpectrogram {
  readonly fftSize: number;
  readonly hop: number;
  /** Frequencies per frame: fftSize / 2 + 1. */
  readonly bins: number;
  readonly #fft: FFT;
  readonly #window: Float64Array;
  readonly #frame: Float64Array;
  readonly #spectrum: Float64Array;
  readonly #padding: 'reflect' | 'zeros';

  /**
   * `fftSize` is a power of two and the window's length; `hop` samples lie between frames. `padding` is what lies beyond the
   * signal's ends: its mirror image without the sample at the edge (default), or zeros.
   */
  constructor(fftSize: number, hop: number, padding: 'reflect' | 'zeros' = 'reflect') {
    this.#padding = padding;
    this.fftSize = fftSize;
    this.hop = hop;
    this.bins = fftSize / 2 + 1;
    this.#fft = new FFT(fftSize);
    this.#window = Float64Array.from(
      { length: fftSize },
      (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / fftSize),
    );
    this.#frame = new Float64Array(fftSize);
    this.#spectrum = new Float64Array(2 * fftSize);
  }

  /** Frames of a signal: 1 + floor(length / hop), the first centred on sample 0. */
  frames(length: number): number {
    return 1 + Math.floor(length / this.hop);
  }

  /**
   * Writes |X[k]|^2 of one frame, k = 0 .. fftSize / 2, into `power` of length `bins`.
   * To be mirrored at its ends, a signal must be longer than fftSize / 2.
   */
  frame(signal: Float32Array | Float64Array, index: number, power: Float64Array): void {
    const frame = this.#frame;
    const window = this.#window;
    const size = this.fftSize;
    const start = index * this.hop - size / 2;
    const last = signal.length - 1;
    if (start >= 0 && start + size <= signal.length) {
      for (let i = 0; i < size; i++) frame[i] = (signal[start + i] as number) * (window[i] as number);
    } else if (this.#padding === 'zeros') {
      for (let i = 0; i < size; i++) frame[i] = (signal[start + i] ?? 0) * (window[i] as number);
    } else {
      for (let i = 0; i < size; i++) {
        const at = Math.abs(start + i);
        frame[i] = (signal[at > last ? 2 * last - at : at] as number) * (window[i] as number);
      }
    }
    const spectrum = this.#spectrum;
    this.#fft.realTransform(spectrum, frame);
    for (let k = 0; k < this.bins; k++) {
      const re = spectrum[2 * k] as number;
      const im = spectrum[2 * k + 1] as number;
      power[k] = re * re + im * im;
    }
  }
}
