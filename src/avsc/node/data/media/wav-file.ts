// WAV files of any length, read in pieces.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Wav } from '../../../audio/wav.ts';
import { blockOf, findSamples, isWav, type WavLayout, type WavSource } from '../../../audio/wav-layout.ts';
import { readSamples } from '../../../audio/wav-samples.ts';
import { checkFile, messageOf } from '../../../../node/files.ts';
import { MediaError } from './errors.ts';
import { checkLength, type Heartbeat } from './open.ts';
import { checkRoom } from './sound.ts';

const PIECE_BYTES = 2 ** 24;

/** True if the file is a WAV, RF64 or Wave64 file. Throws a sentence, naming the file, if it cannot be read. */
export async function isWavFile(path: string): Promise<boolean> {
  await checkFile(path);
  return withSource(path, (source) => isWav(source.read(0, Math.min(40, source.size))));
}

/** Format and length of a WAV file. Throws a sentence, naming the file, if it is malformed, cut, or longer than an hour. */
export function measureWav(path: string): WavLayout {
  return withSource(path, layoutOf);
}

/** Reads a WAV file. Throws a sentence, naming the file, if it is malformed, cut, or longer than an hour. */
export function readWav(path: string, beat: Heartbeat): Wav {
  return withSource(path, (source) => {
    const { format, start, frames } = layoutOf(source);
    const channels = Array.from({ length: format.channels }, () => new Float32Array(frames));
    const block = blockOf(format);
    const piece = Math.max(1, Math.floor(PIECE_BYTES / block));
    for (let at = 0; at < frames; at += piece) {
      const count = Math.min(piece, frames - at);
      readSamples(source.read(start + at * block, count * block), format, channels, at);
      beat();
    }
    return { sampleRate: format.sampleRate, channels };
  });
}

function layoutOf(source: WavSource): WavLayout {
  const layout = findSamples(source);
  checkLength(layout.frames / layout.format.sampleRate);
  checkRoom(layout.frames, layout.format.channels);
  return layout;
}

function withSource<T>(path: string, use: (source: WavSource) => T): T {
  const file = openSync(path, 'r');
  try {
    const read = (offset: number, length: number): Uint8Array => {
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const count = readSync(file, bytes, filled, length - filled, offset + filled);
        if (count === 0) throw new Error(`it became shorter while it was read`);
        filled += count;
      }
      return bytes;
    };
    return use({ size: fstatSync(file).size, read });
  } catch (error) {
    throw new Error(`${path}${error instanceof MediaError ? ' ' : ': '}${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    closeSync(file);
  }
}
