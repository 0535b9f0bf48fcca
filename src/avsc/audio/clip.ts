// Clips of the classifier: two channels of equal length at 48 kHz, cut into seconds.

/** The rate of the data set and of every feature, in Hz. */
export const SAMPLE_RATE = 48_000;

/** Left and right, of equal length. */
export type Stereo = readonly [left: Float32Array, right: Float32Array];

/** A last second that lacks no more than 10 ms still counts: real recordings are a sample or two short. */
const MAX_MISSING = SAMPLE_RATE / 100;

/** Left and right of any recording. Mono is doubled; a recording of more channels keeps its first two (front left, right). */
export function toStereo(channels: readonly Float32Array[]): Stereo {
  const [left, right] = channels;
  if (!left) throw new Error('a recording needs at least one channel, got none');
  if (right && right.length !== left.length) {
    throw new Error(`left and right differ in length: ${left.length} and ${right.length} samples`);
  }
  return [left, right ?? left];
}

/**
 * Cuts a clip at 48 kHz into its seconds, each of exactly 48,000 samples (views, not copies).
 * A last second that lacks up to 10 ms is completed by mirroring; a shorter remainder is dropped.
 */
export function secondsOf(clip: Stereo): Stereo[] {
  const seconds = Math.floor((clip[0].length + MAX_MISSING) / SAMPLE_RATE);
  return Array.from(
    { length: seconds },
    (_, second) => [cut(clip[0], second), cut(clip[1], second)] as const,
  );
}

/** The seconds of a clip as one recording. */
export function joinSeconds(seconds: readonly Stereo[]): Stereo {
  const join = (channel: 0 | 1): Float32Array => {
    const out = new Float32Array(seconds.length * SAMPLE_RATE);
    seconds.forEach((second, i) => out.set(second[channel], i * SAMPLE_RATE));
    return out;
  };
  return [join(0), join(1)];
}

function cut(samples: Float32Array, second: number): Float32Array {
  const piece = samples.subarray(second * SAMPLE_RATE, (second + 1) * SAMPLE_RATE);
  if (piece.length === SAMPLE_RATE) return piece;
  const whole = new Float32Array(SAMPLE_RATE);
  whole.set(piece);
  const last = piece.length - 1;
  for (let i = piece.length; i < SAMPLE_RATE; i++) whole[i] = piece[2 * last - i] ?? 0;
  return whole;
}
