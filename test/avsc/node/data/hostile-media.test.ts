import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mediaFuzzing, prepareMediaFuzzing } from '../../../../tools/fuzz-media.ts';
import { newTally, runInputs } from '../../../../tools/fuzzing.ts';
import { changeOf, hostileMedia, MEDIA_FORMATS, type MediaFormat } from '../../../support/hostile/media.ts';
import { readSeeds } from '../../../support/hostile/media-seeds.ts';

const INPUTS = 60;
const SEED = 7;
const script = join(import.meta.dirname, '../../../../tools/fuzz-media.ts');

// tools/fuzz-media.ts runs far more of them.
describe('hostile media files', () => {
  let folder = '';

  beforeAll(async () => {
    const prepared = await prepareMediaFuzzing();
    folder = prepared.folder;
    if (!prepared.ffmpeg)
      console.log('ffmpeg is not installed: all inputs are made from files by mediabunny');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(MEDIA_FORMATS)(`${INPUTS} of %s are decoded or refused by one clear sentence`, async (format) => {
    const tally = newTally();
    const fuzzing = mediaFuzzing(folder);
    await runInputs(script, fuzzing, { format, seed: SEED, from: 0, to: INPUTS }, tally, (index, why) => {
      console.log(`${format} ${index} (${fuzzing.change?.(format, SEED, index)}): ${why}`);
    });
    console.log(
      `${format}: ${tally.read} decoded, ${tally.sentences.size} sentences, at most ${tally.seconds.toFixed(2)} s and ${tally.megabytes.toFixed(0)} MB`,
    );
    expect(tally.violations).toEqual([]);
    expect(tally.inputs).toBe(INPUTS);
    // Neither do all fail at the first byte, nor are all whole.
    expect(tally.read).toBeGreaterThan(5);
    expect(tally.read).toBeLessThan(INPUTS);
  });

  it('are the same for the same seed, and touch every kind of number', () => {
    const seeds = readSeeds(folder);
    for (const format of MEDIA_FORMATS) {
      const inputs = (seed: number): Uint8Array[] =>
        [0, 1, 500, 501].map((index) => hostileMedia(format, seed, index, seeds));
      expect(inputs(3)).toEqual(inputs(3));
      expect(inputs(3)).not.toEqual(inputs(4));
    }
    const changes = (format: MediaFormat): string =>
      Array.from({ length: 12_000 }, (_, i) => changeOf(format, 3, 2 * i, seeds)).join('\n');
    const mp4 = changes('mp4');
    const names = [
      'mvhd.timescale',
      'tkhd.width',
      'tkhd.matrix[0]',
      'mdhd.duration',
      'stts.delta[0]',
      'stsc.samplesPerChunk[0]',
      'stsz.count',
      'stco.offset[0]',
      'avc1.height',
      'avc1/avcC[5]',
      'mp4a.channels',
      'mp4a/esds[20]',
      'tfhd.trackId',
      'tfdt.time',
      'trun.count',
      'without moov/trak/mdia/minf/stbl/stsz',
      'moov within itself, 2000 deep',
    ];
    expect(names.filter((name) => !mp4.includes(name))).toEqual([]);
    expect(changes('mkv')).toMatch(
      /Segment\/Cluster\/a3.time[^]*Segment.size = |Segment.size = [^]*Cluster\/a3.time/,
    );
    expect(changes('wav')).toMatch(
      /fmt .blockAlign = [^]*ds64.dataSize = |ds64.dataSize = [^]*fmt .blockAlign = /,
    );
  });
});
