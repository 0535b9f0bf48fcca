import { SAMPLE_RATE, type Stereo } from '../../src/avsc/audio/clip.ts';

/** Gliding tones and noise, by the same formula as `synthetic` in tools/features_reference.py. */
export function synthetic(seconds = 10): Stereo {
  const channel = (c: number): Float32Array =>
    Float32Array.from({ length: seconds * SAMPLE_RATE }, (_, i) => {
      const t = i / SAMPLE_RATE;
      const noise = ((i * 2654435761 + c * 97531) % 2 ** 32) / 2 ** 32 - 0.5;
      const slow = 0.5 + 0.4 * Math.sin(2 * Math.PI * (0.3 + 0.2 * c) * t);
      const tone = Math.sin(2 * Math.PI * (220 + 330 * c) * t + 40 * Math.sin(2 * Math.PI * 0.7 * t));
      return 0.3 * slow * tone + 0.1 * noise * (1 - slow);
    });
  return [channel(0), channel(1)];
}
