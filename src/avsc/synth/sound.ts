// Generated sound: five families (rules.ts), placed between two ears, with room noise.

import { SAMPLE_RATE } from '../audio/clip.ts';
import { randomStream, uniform, type Random } from '../dataset/random.ts';
import type { SoundFamily } from './rules.ts';

const TURN = 2 * Math.PI;
/** Longest delay between the ears: 0.6 ms, as at a human head. */
const MAX_DELAY = Math.round(0.0006 * SAMPLE_RATE);

/**
 * Two channels of `seconds` s at 48 kHz within [-0.9, 0.9].
 * `location` and `clip` are keys: the same keys give the same samples. Two clips of a location differ only in timing and noise.
 */
export function makeSound(
  family: SoundFamily,
  location: string,
  clip: string,
  seconds: number,
): [left: Float32Array, right: Float32Array] {
  const place = randomStream(location, 'sound');
  const event = randomStream(clip, 'sound');
  const length = Math.round(seconds * SAMPLE_RATE);
  const source = new Float32Array(length);
  switch (family) {
    case 'engine':
      addEngine(source, place, event);
      break;
    case 'clatter':
      addClatter(source, place, event);
      break;
    case 'wash':
      addWash(source, place, event);
      break;
    case 'birds':
      addBirds(source, place, event);
      break;
    case 'babble':
      addBabble(source, place, event);
      break;
  }
  level(source, 0.16);
  return mixEars(source, place, event, family === 'wash');
}

/** 12 decreasing harmonics of 55..105 Hz with a tremolo of 7..12 Hz. */
function addEngine(out: Float32Array, place: Random, event: Random): void {
  const pitch = uniform(place, 55, 105);
  const fall = uniform(place, 0.75, 1.1);
  const tremor = uniform(place, 7, 12);
  const drift = uniform(event, 0.1, 0.3);
  const phases = Array.from({ length: 12 }, () => event() * TURN);
  let turn = 0;
  for (let i = 0; i < out.length; i++) {
    const t = i / SAMPLE_RATE;
    turn += ((pitch * (1 + 0.04 * Math.sin(TURN * drift * t))) / SAMPLE_RATE) * TURN;
    let sum = 0;
    for (let k = 0; k < phases.length; k++) {
      sum += Math.sin((k + 1) * turn + (phases[k] as number)) / (k + 1) ** fall;
    }
    out[i] = sum * (1 + 0.35 * Math.sin(TURN * tremor * t));
  }
}

/** Clicks of 12..25 ms, 5..8 per second, each ringing at 1.2..3 kHz. */
function addClatter(out: Float32Array, place: Random, event: Random): void {
  const beat = SAMPLE_RATE / uniform(place, 5, 8);
  const ring = uniform(place, 1200, 3000);
  const decay = uniform(place, 0.012, 0.025) * SAMPLE_RATE;
  for (let start = event() * beat; start < out.length; start += beat * uniform(event, 0.93, 1.07)) {
    const loud = uniform(event, 0.6, 1);
    const first = Math.floor(start);
    const end = Math.min(out.length, first + Math.ceil(6 * decay));
    for (let i = first; i < end; i++) {
      const age = i - first;
      const tone = Math.sin((TURN * ring * age) / SAMPLE_RATE);
      out[i] = (out[i] as number) + loud * Math.exp(-age / decay) * (0.6 * tone + 1.4 * (event() - 0.5));
    }
  }
}

/** Noise below 900..2500 Hz that swells every 2..4 s. */
function addWash(out: Float32Array, place: Random, event: Random): void {
  const smooth = 1 - Math.exp((-TURN * uniform(place, 900, 2500)) / SAMPLE_RATE);
  const rate = 1 / uniform(place, 2, 4);
  const phase = event() * TURN;
  let low = 0;
  for (let i = 0; i < out.length; i++) {
    low += smooth * (2 * event() - 1 - low);
    out[i] = low * (1 + 0.55 * Math.sin((TURN * rate * i) / SAMPLE_RATE + phase));
  }
}

/** Chirps of 60..130 ms, 4..7 per second, that start at 2.2..4.5 kHz and rise by half. */
function addBirds(out: Float32Array, place: Random, event: Random): void {
  const pitch = uniform(place, 2200, 4500);
  const gap = SAMPLE_RATE / uniform(place, 4, 7);
  for (let start = event() * gap; start < out.length; start += gap * uniform(event, 0.6, 1.4)) {
    const from = pitch * uniform(event, 0.85, 1.2);
    const length = uniform(event, 0.06, 0.13) * SAMPLE_RATE;
    const loud = uniform(event, 0.5, 1);
    const first = Math.floor(start);
    let turn = 0;
    for (let i = first; i < Math.min(out.length, first + length); i++) {
      const part = (i - first) / length;
      turn += (TURN * from * (1 + 0.5 * part)) / SAMPLE_RATE;
      out[i] = (out[i] as number) + loud * Math.sin(Math.PI * part) ** 2 * Math.sin(turn);
    }
  }
}

/** Two voices of 110..230 Hz: syllables of 120..250 ms, each with two formants (500 and 1500 Hz or so). */
function addBabble(out: Float32Array, place: Random, event: Random): void {
  for (let voice = 0; voice < 2; voice++) {
    const pitch = uniform(place, 110, 230);
    let start = -event() * 0.2 * SAMPLE_RATE;
    while (start < out.length) {
      const length = Math.floor(uniform(event, 0.12, 0.25) * SAMPLE_RATE);
      addSyllable(out, Math.floor(start), length, pitch * uniform(event, 0.85, 1.2), event);
      start += length * uniform(event, 1, 1.35);
    }
  }
}

function addSyllable(out: Float32Array, start: number, length: number, pitch: number, event: Random): void {
  const formants = [uniform(event, 350, 800), uniform(event, 1100, 2300)] as const;
  const count = Math.floor(3200 / pitch);
  const weights = Array.from({ length: count }, (_, k) =>
    formants.reduce((sum, formant) => sum + Math.exp(-((((k + 1) * pitch - formant) / 180) ** 2)), 0.03),
  );
  for (let i = Math.max(0, start); i < Math.min(out.length, start + length); i++) {
    const turn = (TURN * pitch * (i - start)) / SAMPLE_RATE;
    let sum = 0;
    for (let k = 0; k < count; k++) sum += (weights[k] as number) * Math.sin((k + 1) * turn);
    out[i] = (out[i] as number) + sum * Math.sin((Math.PI * (i - start)) / length);
  }
}

/** Scales the samples to a root mean square of `target`. */
function level(samples: Float32Array, target: number): void {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const factor = target / Math.sqrt(sum / samples.length + 1e-12);
  for (let i = 0; i < samples.length; i++) samples[i] = (samples[i] as number) * factor;
}

/** Places the source by level and delay between the ears and adds room noise, independent at each ear. */
function mixEars(
  source: Float32Array,
  place: Random,
  event: Random,
  moving: boolean,
): [left: Float32Array, right: Float32Array] {
  const gain = uniform(place, 0.4, 1);
  const side = uniform(place, -0.7, 0.7);
  const room = uniform(place, 0.002, 0.012);
  const smooth = uniform(place, 0.05, 0.6);
  const sweep = moving ? uniform(place, 0.1, 0.25) : 0;
  const ear = (sign: 1 | -1): Float32Array => {
    const out = new Float32Array(source.length);
    const delay = Math.round(Math.max(0, side * sign) * MAX_DELAY);
    let noise = 0;
    for (let i = 0; i < out.length; i++) {
      const at = sweep === 0 ? side : 0.7 * Math.sin(side * 3 + (TURN * sweep * i) / SAMPLE_RATE);
      noise += smooth * (2 * event() - 1 - noise);
      const sample = gain * (1 - 0.5 * sign * at) * (source[i - delay] ?? 0) + room * noise;
      out[i] = Math.max(-0.9, Math.min(0.9, sample));
    }
    return out;
  };
  return [ear(1), ear(-1)];
}
