import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RATE, toStereo } from '../../src/avsc/audio/clip.ts';
import { decodeWav, encodeWav } from '../../src/avsc/audio/wav.ts';
import { perturbBytes } from '../../src/avsc/augment/pictures/perturb.ts';
import { PICTURE_OPERATIONS } from '../../src/avsc/augment/pictures/registry.ts';
import { operationProgram } from '../../src/avsc/augment/pictures/policy.ts';
import { makeExtraSound } from '../../src/avsc/augment/sound/extras.ts';
import { SOUND_OPERATION_NAMES } from '../../src/avsc/augment/sound/index.ts';
import { randomStream } from '../../src/avsc/dataset/random.ts';
import { synthetic } from '../support/synthetic_sound.ts';
import { wavelight } from './wavelight.ts';

const WIDTH = 60;
const HEIGHT = 35;
const planes = Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, (_, i) => (i * i + 7 * i) & 255);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-augment-'));
  const area = WIDTH * HEIGHT;
  const pixels = Uint8Array.from(
    { length: 3 * area },
    (_, i) => planes[(i % 3) * area + Math.floor(i / 3)] ?? 0,
  );
  await sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .png()
    .toFile(join(folder, 'in.png'));
  const sound = synthetic(2);
  await writeFile(join(folder, 'in.wav'), encodeWav(sound, SAMPLE_RATE, 24));
  await writeFile(join(folder, 'mono.wav'), encodeWav([sound[1].map((x) => 3 * x)], 44_100, 16));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const augment = (...args: string[]) => wavelight(['augment', ...args], folder);
const wav = async (name: string) => decodeWav(await readFile(join(folder, name)));

describe('augment on a picture', () => {
  it('writes its own size after the operation, whose sign comes from the seed', async () => {
    const [{ code, stdout }] = await Promise.all([
      augment('in.png', '--op', 'rotate', '--magnitude', '4', '--seed', '3', '--out', 'a.png'),
      augment(
        'in.png',
        '--op',
        'Rotate',
        '--magnitude',
        '4',
        '--seed',
        '4',
        '--scale',
        'torchvision',
        '--out',
        'b.png',
      ),
    ]);
    expect(stdout).toBe(
      'a.png: in.png after Rotate --magnitude 4 --scale original (by +- 3 M degrees), 60 x 35 pixels\n',
    );
    expect(code).toBe(0);
    for (const [name, scale, seed] of [
      ['a.png', 'original', 3],
      ['b.png', 'torchvision', 4],
    ] as const) {
      const { data, info } = await sharp(join(folder, name)).raw().toBuffer({ resolveWithObject: true });
      expect([info.width, info.height, info.channels]).toEqual([WIDTH, HEIGHT, 3]);
      const program = operationProgram(
        'Rotate',
        4,
        scale,
        { width: WIDTH, height: HEIGHT },
        randomStream(seed),
      );
      const wanted = perturbBytes(planes, program, { width: WIDTH, height: HEIGHT });
      expect(data.every((v, i) => v === wanted[(i % 3) * WIDTH * HEIGHT + Math.floor(i / 3)])).toBe(true);
    }
  });
});

describe('augment on a recording', () => {
  it('writes what makeExtraSound makes of the seed', async () => {
    const { code, stdout } = await augment('in.wav', '--op', 'pitch', '--seed', '5', '--out', 'pitch.wav');
    expect(code).toBe(0);
    const { channels, sampleRate } = await wav('pitch.wav');
    const input = toStereo((await wav('in.wav')).channels);
    const wanted = makeExtraSound({ op: 'pitch', sound: input, random: randomStream(5) });
    expect(sampleRate).toBe(SAMPLE_RATE);
    expect(stdout).toContain(
      `pitch.wav: in.wav after pitch --value ${Number(wanted.value[0]?.toPrecision(6))}, 2.00 s`,
    );
    channels.forEach((channel, c) => {
      const worst = Math.max(...channel.map((x, i) => Math.abs(x - (wanted.sound[c]?.[i] ?? NaN))));
      expect(worst).toBeLessThanOrEqual(2 ** -24);
    });
  });

  it('mixes recordings of two rates at that of the first, keeps mono mono, and says what it clips', async () => {
    const [first, second] = await Promise.all([
      augment('in.wav', '--op', 'mix', '--with', 'mono.wav', '--value', '0.5,1', '--out', 'mix.wav'),
      augment('mono.wav', '--op', 'mix', '--with', 'in.wav', '--value', '2,0', '--out', 'loud.wav'),
    ]);
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(first.stdout).toContain('after mix --value 0.5,1, 2.00 s at 48000 Hz');
    expect((await wav('mix.wav')).channels.map((c) => c.length)).toEqual([96_000, 96_000]);
    const { channels, sampleRate } = await wav('loud.wav');
    const { channels: input } = await wav('mono.wav');
    expect([channels.length, sampleRate]).toEqual([1, 44_100]);
    const beyond = input[0]?.filter((x) => Math.abs(2 * x) > 1).length ?? 0;
    expect(beyond).toBeGreaterThan(0);
    expect(second.stdout).toContain(`${beyond} samples clipped at full scale`);
    // Samples of 16 bits, twice as large, are exact in 24 bits; full scale is one step below 1.
    expect(channels[0]).toEqual(input[0]?.map((x) => Math.max(-1, Math.min(1 - 2 ** -23, 2 * x))));
  });
});

describe('augment specaugment', () => {
  it('draws the features of both seconds with masks of zeros', async () => {
    const args = ['in.wav', '--op', 'specaugment', '--seed', '2', '--out'];
    const [masked, bare] = await Promise.all([
      augment(...args, 'masked.png', '--value', '0.5'),
      augment(...args, 'bare.png', '--value', '0'),
    ]);
    expect([masked.code, bare.code]).toEqual([0, 0]);
    const read = (name: string) =>
      sharp(join(folder, name)).greyscale().raw().toBuffer({ resolveWithObject: true });
    const [with_, without] = await Promise.all([read('masked.png'), read('bare.png')]);
    // Two zoomed maps of two seconds beside each other, three below each other.
    expect([with_.info.width, with_.info.height]).toEqual([2 * 2 * 2 * 39, 2 * 3 * 128]);
    const changed = with_.data.filter((v, i) => v !== without.data[i]).length / with_.data.length;
    console.log(`share of changed pixels ${changed}`);
    expect(changed).toBeGreaterThan(0.1);
    // What changed in the features, which stand on top, is black.
    const top = with_.info.width * 2 * 128;
    const seen = new Set(with_.data.subarray(0, top).filter((v, i) => v !== without.data[i]));
    expect(seen).toEqual(new Set([0]));
  });
});

it('augment --list names every operation', async () => {
  const { code, stdout } = await augment('--list');
  expect(code).toBe(0);
  for (const name of [...PICTURE_OPERATIONS.map((op) => op.name), ...SOUND_OPERATION_NAMES, 'specaugment'])
    expect(stdout).toMatch(new RegExp(`^  ${name}  `, 'm'));
});

describe('what makes no sense ends with 2 and one line', () => {
  it.concurrent.each([
    [[], 'name a picture or a recording'],
    [['in.png'], 'name an operation by --op: TranslateX, TranslateY'],
    [['in.png', '--op', 'Rotate'], 'name the file of the result by --out'],
    [['in.png', '--op', 'Blur', '--out', 'x.png'], 'there is no operation Blur: there are TranslateX'],
    [['in.png', '--op', 'Rotate', '--out', 'in.png'], '--out in.png is the file itself'],
    [['in.png', '--op', 'Rotate', '--out', 'x.jpg'], '--out x.jpg must end in .png: Rotate makes a picture'],
    [
      ['in.png', '--op', 'Rotate', '--magnitude', '11', '--out', 'x.png'],
      'It must be a number from 0 to 10.',
    ],
    [['in.png', '--op', 'Rotate', '--value', '3', '--out', 'x.png'], 'Rotate takes --magnitude, not --value'],
    [
      ['in.png', '--op', 'Invert', '--magnitude', '3', '--out', 'x.png'],
      'Invert takes no magnitude: leave --magnitude out',
    ],
    [
      ['in.png', '--op', 'Rotate', '--with', 'in.wav', '--out', 'x.png'],
      'Rotate takes one file: only mix adds another by --with',
    ],
    [['in.wav', '--op', 'Rotate', '--out', 'x.png'], 'Rotate changes pictures, and in.wav is a recording'],
    [['in.png', '--op', 'pitch', '--out', 'x.wav'], 'pitch changes recordings, and in.png is a picture'],
    [
      ['in.wav', '--op', 'mix', '--with', 'in.png', '--out', 'x.wav'],
      'mix changes recordings, and in.png is a picture',
    ],
    [
      ['in.png', '--op', 'specaugment', '--out', 'x.png'],
      'specaugment changes recordings, and in.png is a picture',
    ],
    [
      ['in.wav', '--op', 'pitch', '--magnitude', '3', '--out', 'x.wav'],
      'pitch takes --value, not --magnitude',
    ],
    [
      ['in.wav', '--op', 'pitch', '--value', '25', '--out', 'x.wav'],
      'pitch by 25 is out of range: it takes -24 to 24 (semitones)',
    ],
    [
      ['in.wav', '--op', 'pitch', '--value', 'up', '--out', 'x.wav'],
      'It must be a number, or numbers with commas',
    ],
    [['in.wav', '--op', 'mix', '--out', 'x.wav'], 'mix adds another recording: name it by --with'],
    [
      ['in.wav', '--op', 'mix', '--with', 'mono.wav', '--value', '1', '--out', 'x.wav'],
      'mix takes 2 numbers (gain of the recording; gain of the other), got 1',
    ],
    [
      ['in.wav', '--op', 'specaugment', '--value', '2', '--out', 'x.png'],
      'specaugment by 2 is out of range: it takes 0 to 1',
    ],
    [['in.wav', '--list'], '--list names the operations and does nothing else'],
  ])('augment %j', async (args, message) => {
    const { code, stdout, stderr } = await augment(...args);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('and a file that is missing with 1', async () => {
    for (const [op, out] of [
      ['Rotate', 'x.png'],
      ['pitch', 'x.wav'],
    ] as const) {
      const { code, stderr } = await augment('none', '--op', op, '--out', out);
      expect(stderr).toMatch(/^wavelight: none /);
      expect(code).toBe(1);
    }
  });
});
