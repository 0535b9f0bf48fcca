import { describe, expect, it } from 'vitest';
import { SecondAssembler, type StreamSecond } from '../../../src/avsc/classifier/seconds.ts';

const RATE = 44_100;
const PIECE = 4096;

type Got = (StreamSecond<number> | { readonly missing: number })[];

/** Plays `seconds` of a stream: sound whose samples are their numbers, and frames whose pixels are their times. */
function play({
  seconds,
  sound = true,
  fps = 30,
  late = () => 0,
  frames = () => true,
}: {
  seconds: number;
  sound?: boolean;
  /** Frames per second; 0 for no pictures. */
  fps?: number;
  /** By how much a piece of sound arrives late, in ms. */
  late?: (piece: number) => number;
  /** Whether the frame of this time is shown. */
  frames?: (time: number) => boolean;
}): { readonly got: Got; readonly read: number } {
  const got: Got = [];
  let read = 0;
  const assembler = new SecondAssembler<number>(sound ? RATE : null, fps > 0, {
    onSecond: (second) => got.push(second),
    onIncomplete: (missing) => got.push({ missing }),
  });
  const events: [time: number, happens: () => void][] = [];
  for (let piece = 0; sound && (piece + 1) * PIECE <= RATE * (seconds + 0.2); piece++) {
    const samples = Float32Array.from({ length: PIECE }, (_, i) => piece * PIECE + i);
    const time = 1000 + ((piece + 1) * PIECE * 1000) / RATE + late(piece);
    events.push([
      time,
      () =>
        assembler.addSound(
          samples,
          samples.map((value) => -value),
          time,
        ),
    ]);
  }
  for (let time = 1000.5; fps > 0 && time < 1200 + 1000 * seconds; time += 1000 / fps) {
    const offer = (): void =>
      assembler.offerFrame(time, () => {
        read++;
        return time;
      });
    if (frames(time)) events.push([time, offer]);
  }
  for (const [, happens] of events.sort(([a], [b]) => a - b)) happens();
  return { got, read };
}

/** `tolerance` in ms: half the time between two frames, a little more where frames have jitter. */
function checkPictures(got: Got, start: number, tolerance: number): void {
  let worst = 0;
  for (const second of got) {
    if ('missing' in second) throw new Error(`second ${second.missing} is missing`);
    const [first = NaN, other = NaN] = second.pictures ?? [];
    const at = start + 1000 * second.index;
    const off = [Math.abs(first - at), Math.abs(other - at - 14_000 / 30)];
    worst = Math.max(worst, ...off);
    for (const one of off) expect(one).toBeLessThan(tolerance);
  }
  console.log(`pictures are at most ${worst.toFixed(1)} ms off their times, ${tolerance.toFixed(1)} may be`);
}

describe('seconds of a stream', () => {
  it('have every sample once, and the pictures nearest to their times', () => {
    const { got, read } = play({ seconds: 5 });
    expect(got.length).toBe(5);
    got.slice(1).forEach((second, i) => {
      if ('missing' in second || second.sound === null) throw new Error('no sound');
      const [left, right] = second.sound;
      expect(left.length).toBe(RATE);
      expect(left.every((value, n) => value === (i + 1) * RATE + n)).toBe(true);
      expect(right.every((value, n) => value === -(left[n] ?? NaN) || (value === 0 && left[n] === 0))).toBe(
        true,
      );
    });
    // Half of the 33.3 ms between frames.
    checkPictures(got.slice(1), 1000, 17);
    expect(read).toBeLessThanOrEqual(12);
  });

  it('do not follow sound that is delivered late', () => {
    const { got } = play({ seconds: 6, late: (piece) => (piece * 37) % 120 });
    checkPictures(got.slice(2), 1000, 34);
  });

  it('are without the pictures of a camera that stops, and go on when it does', () => {
    const { got } = play({ seconds: 6, frames: (time) => time < 2200 || time > 4300 });
    expect(got.map((second) => ('missing' in second ? 'missing' : second.index))).toEqual([
      0,
      'missing',
      'missing',
      'missing',
      4,
      5,
    ]);
  });

  it.each([10, 15, 25, 60])('take the nearest of %i frames per second', (fps) => {
    const { got } = play({ seconds: 5, fps });
    checkPictures(got.slice(1), 1000, 501 / fps);
  });

  it('are of sound alone, or of pictures alone', () => {
    const silent = play({ seconds: 4, sound: false });
    expect(silent.got.length).toBe(4);
    checkPictures(silent.got, 1000.5, 17);
    const blind = play({ seconds: 3, fps: 0 });
    expect(blind.got.map((second) => 'pictures' in second && second.pictures)).toEqual([null, null, null]);
  });
});
