// Made-up media files and temporary folders for the tests of data set and media.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerMediabunnyServer } from '@mediabunny/server';
import { BufferTarget, Mp4OutputFormat, Output, Quality, VideoSample, VideoSampleSource } from 'mediabunny';
import { afterAll } from 'vitest';
import { encodeWav } from '../../src/avsc/audio/wav.ts';

registerMediabunnyServer({ hardwareContext: null });

export const SHARED = new URL('../../../shared', import.meta.url).pathname;

/** A folder that is removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wavelight-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes an H.264 MP4 file of plain frames, `colour(i)` the RGB bytes of frame i. */
export async function writeVideo(
  path: string,
  {
    rate,
    frames,
    colour,
    width = 64,
    height = 48,
    tables = 'last',
  }: {
    rate: number;
    frames: number;
    colour: (frame: number) => readonly number[];
    width?: number;
    height?: number;
    /** Where the file says what it holds: before its pictures or after them. */
    tables?: 'first' | 'last';
  },
): Promise<void> {
  const target = new BufferTarget();
  const output = new Output({
    format: new Mp4OutputFormat({ fastStart: tables === 'first' ? 'in-memory' : false }),
    target,
  });
  const source = new VideoSampleSource({
    codec: 'avc',
    quality: new Quality({ quantizer: 4, bitrate: 1e6 }),
    hardwareAcceleration: 'prefer-software',
  });
  output.addVideoTrack(source);
  await output.start();
  for (let i = 0; i < frames; i++) {
    const rgba = new Uint8Array(width * height * 4).map((_, k) => [...colour(i), 255][k % 4] ?? 0);
    const sample = new VideoSample(rgba, {
      format: 'RGBX',
      codedWidth: width,
      codedHeight: height,
      timestamp: i / rate,
      duration: 1 / rate,
    });
    await source.add(sample);
    sample.close();
  }
  await output.finalize();
  writeFileSync(path, new Uint8Array(target.buffer ?? new ArrayBuffer(0)));
}

/** Writes a 24-bit WAV file of sine tones, one per channel. */
export function writeTone(path: string, seconds: number, sampleRate = 48_000, channels = 2): void {
  const tones = Array.from({ length: channels }, (_, c) =>
    Float32Array.from(
      { length: Math.round(seconds * sampleRate) },
      (_unused, i) => Math.sin((2 * Math.PI * 440 * (c + 1) * i) / sampleRate) * 0.5,
    ),
  );
  writeFileSync(path, encodeWav(tones, sampleRate, 24));
}
