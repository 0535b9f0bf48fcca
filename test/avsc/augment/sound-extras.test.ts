import { describe, expect, test } from 'vitest';
import type { Stereo } from '../../../src/avsc/audio/clip.ts';
import { makeExtraSound, planExtras } from '../../../src/avsc/augment/sound/extras.ts';
import { SOUND_OPERATION_NAMES, SOUND_OPERATIONS } from '../../../src/avsc/augment/sound/index.ts';
import { mixSounds } from '../../../src/avsc/augment/sound/operations/mix.ts';
import { pitchShift } from '../../../src/avsc/augment/sound/operations/pitch.ts';
import { timeStretch } from '../../../src/avsc/augment/sound/phase-vocoder.ts';
import { randomStream } from '../../../src/avsc/dataset/random.ts';
import { synthetic } from '../../support/synthetic_sound.ts';

const clips = ['airport', 'park', 'tram'].flatMap((label) =>
  Array.from({ length: 4 }, (_, i) => ({ name: `${label}-paris-${i}-1`, label })),
);
const ALL = { pitch: 2, stretch: 1, noise: 1, mix: 3 };

describe('planExtras', () => {
  test('plans the copies of each clip by each operation', () => {
    const plan = planExtras(clips, ALL, 7);
    expect(plan).toHaveLength(clips.length * 7);
    expect(new Set(plan.map(({ name }) => name)).size).toBe(plan.length);
    expect(new Set(plan.map(({ key }) => key)).size).toBe(plan.length);
    expect(plan.slice(0, 7).map(({ name }) => name)).toEqual([
      'airport-paris-0-1+pitch-1',
      'airport-paris-0-1+pitch-2',
      'airport-paris-0-1+stretch-1',
      'airport-paris-0-1+noise-1',
      'airport-paris-0-1+mix-1',
      'airport-paris-0-1+mix-2',
      'airport-paris-0-1+mix-3',
    ]);
    for (const { key } of plan) expect(key).toBe(key >>> 0);
    expect(planExtras(clips, {}, 7)).toEqual([]);
    expect(planExtras([], ALL, 7)).toEqual([]);
  });

  test('mixes with every other clip of the same label, never with the clip itself', () => {
    const plan = planExtras(clips, { mix: 100 }, 7);
    for (const { name, label } of clips) {
      const partners = plan.filter(({ clip }) => clip === name).map(({ partner }) => partner);
      const others = clips.filter((other) => other.label === label && other.name !== name);
      expect(new Set(partners)).toEqual(new Set(others.map((other) => other.name)));
      // 100 draws of three: 33 each, with a standard deviation of 4.7.
      for (const other of others) {
        expect(partners.filter((partner) => partner === other.name).length).toBeGreaterThan(33 - 4 * 4.7);
      }
    }
  });

  test('the only clip of a label is mixed without a partner', () => {
    const [alone] = planExtras(
      [
        { name: 'bus-lyon-1-1', label: 1 },
        { name: 'tram-lyon-1-1', label: 9 },
      ],
      { mix: 1 },
      7,
    );
    expect(alone).toMatchObject({ name: 'bus-lyon-1-1+mix-1', op: 'mix', copy: 1 });
    expect(alone).not.toHaveProperty('partner');
  });

  test('of a clip depends on the seed, not on other clips or on other copies', () => {
    const plan = planExtras(clips, ALL, 7);
    const ofLast = plan.slice(-7);
    const fewer = planExtras(clips.slice(-4).reverse(), ALL, 7).slice(0, 7);
    const withoutPartner = (list: typeof plan) => list.map((extra) => ({ ...extra, partner: undefined }));
    expect(withoutPartner(fewer)).toEqual(withoutPartner(ofLast));
    expect(planExtras(clips, { pitch: 1 }, 7).at(-1)).toEqual(ofLast[0]);
    expect(planExtras(clips, ALL, 8).at(-1)?.key).not.toBe(plan.at(-1)?.key);
  });

  test('refuses what is no number of copies, and a clip that is there twice', () => {
    for (const count of [-1, 0.5, NaN, 101]) {
      expect(() => planExtras(clips, { pitch: count }, 7)).toThrow(
        `cannot make ${count} extra clips by pitch: it must be a whole number from 0 to 100`,
      );
    }
    expect(() => planExtras([...clips, ...clips], ALL, 7)).toThrow(
      /the clip airport-paris-0-1 is there twice/,
    );
  });
});

describe('makeExtraSound', () => {
  const LENGTH = 9600;
  const whole = synthetic(1);
  const sound: Stereo = [whole[0].slice(0, LENGTH), whole[1].slice(0, LENGTH)];
  const partner: Stereo = [whole[1].slice(20_000, 23_000), whole[0].slice(20_000, 23_000)];

  test.each(SOUND_OPERATION_NAMES)('%s: the same key gives the same sound, of the same length', (op) => {
    const make = (key: number) => makeExtraSound({ op, sound, partner, random: randomStream(key) });
    const first = make(1);
    expect(first.sound.map((channel) => channel.length)).toEqual([LENGTH, LENGTH]);
    expect(make(1)).toEqual(first);
    expect(make(2).sound).not.toEqual(first.sound);
    expect(first.sound).not.toEqual(sound);
  });

  test.each(SOUND_OPERATION_NAMES)('%s: draws its values over the whole range', (op) => {
    const piece: Stereo = [sound[0].slice(0, 600), sound[1].slice(0, 600)];
    const values = Array.from(
      { length: 200 },
      (_, key) => makeExtraSound({ op, sound: piece, random: randomStream(key) }).value,
    );
    SOUND_OPERATIONS[op].parameters.forEach(({ drawn: [low, high] }, i) => {
      const numbers = values.map((value) => value[i] ?? NaN);
      expect(Math.min(...numbers)).toBeGreaterThanOrEqual(low);
      expect(Math.max(...numbers)).toBeLessThanOrEqual(high);
      expect(Math.min(...numbers)).toBeLessThanOrEqual(low + 0.05 * (high - low));
      expect(Math.max(...numbers)).toBeGreaterThanOrEqual(high - 0.05 * (high - low));
    });
  });

  test('applies what it says', () => {
    const random = () => randomStream(5);
    const pitched = makeExtraSound({ op: 'pitch', sound, random: random() });
    expect(pitched.sound).toEqual(pitchShift(sound, pitched.value[0] ?? NaN));
    const given = makeExtraSound({ op: 'stretch', sound, random: random(), value: [1.6] });
    const fast = timeStretch(sound, 1.6)[0];
    expect(given.value).toEqual([1.6]);
    expect(given.sound[0].subarray(0, LENGTH / 1.6)).toEqual(fast);
    expect(given.sound[0].subarray(LENGTH / 1.6)).toEqual(fast.subarray(0, LENGTH - LENGTH / 1.6));
    const slow = makeExtraSound({ op: 'stretch', sound, random: random(), value: [0.7] });
    expect(slow.sound[0]).toEqual(timeStretch(sound, 0.7)[0].subarray(0, LENGTH));
    const mixed = makeExtraSound({ op: 'mix', sound, partner, random: random() });
    const [gain = NaN, otherGain = NaN] = mixed.value;
    expect(mixed.sound).toEqual(mixSounds(sound, partner, gain, otherGain));
    // With its own values given, noise is the noise of the same stream.
    const noise = makeExtraSound({ op: 'noise', sound, random: random() });
    expect(makeExtraSound({ op: 'noise', sound, random: random(), value: [0.01] })).toEqual(noise);
  });

  test('a mix without a partner adds the sound from a quarter to three quarters later', () => {
    const { sound: mixed, value } = makeExtraSound({ op: 'mix', sound, random: randomStream(6) });
    const [gain = NaN, otherGain = NaN] = value;
    const rest = mixed[0].map((x, i) => (x - gain * (sound[0][i] ?? NaN)) / otherGain);
    const isShiftedBy = (shift: number): boolean =>
      rest.every((x, i) => Math.abs(x - (sound[0][(i + shift) % LENGTH] ?? NaN)) < 1e-5);
    const shifts = Array.from({ length: LENGTH }, (_, shift) => shift).filter(isShiftedBy);
    expect(shifts).toHaveLength(1);
    expect(shifts[0]).toBeGreaterThanOrEqual(LENGTH / 4);
    expect(shifts[0]).toBeLessThan((3 * LENGTH) / 4);
  });

  test('refuses values out of range, a wrong number of them, and an empty sound', () => {
    const random = randomStream(1);
    const pitch = (value: number[]) => () => makeExtraSound({ op: 'pitch', sound, random, value });
    expect(pitch([25])).toThrow('pitch by 25 is out of range: it takes -24 to 24 (semitones)');
    expect(pitch([NaN])).toThrow(/pitch by NaN is out of range/);
    expect(pitch([1, 2])).toThrow('pitch takes 1 number (semitones), got 2');
    expect(() => makeExtraSound({ op: 'mix', sound, random, value: [1] })).toThrow(
      'mix takes 2 numbers (gain of the recording; gain of the other), got 1',
    );
    const empty: Stereo = [new Float32Array(), new Float32Array()];
    for (const op of SOUND_OPERATION_NAMES) {
      expect(() => makeExtraSound({ op, sound: empty, random })).toThrow(/not empty; got 0 and 0 samples/);
    }
  });
});
