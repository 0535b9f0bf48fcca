import { describe, expect, it } from 'vitest';
import {
  assertDisjoint,
  missingScenes,
  parseIdentity,
  parseSplit,
  type Clip,
} from '../../src/avsc/dataset/clips.ts';
import { permutation, randomStream } from '../../src/avsc/dataset/random.ts';
import { SCENES } from '../../src/avsc/dataset/scenes.ts';
import { splitByLocation } from '../../src/avsc/dataset/validation.ts';

const HEADER = 'filename_audio\tfilename_video\tscene_label';
const row = (name: string, label: string): string => `audio/${name}.wav\tvideo/${name}.mp4\t${label}`;
const parse = (text: string): Clip[] => parseSplit(text, 'fold1_train.csv', 'required');

describe('split tables', () => {
  it('reads tabs, commas, CRLF, a byte order mark, quotes and names that end in -a alike', () => {
    const plain = parse(`${HEADER}\n${row('park-london-96-2689', 'park')}\n`);
    expect(plain).toEqual([
      {
        name: 'park-london-96-2689',
        audio: 'audio/park-london-96-2689.wav',
        video: 'video/park-london-96-2689.mp4',
        label: SCENES.indexOf('park'),
        location: 'london-96',
        source: { file: 'fold1_train.csv', line: 2 },
      },
    ]);
    const commas = `${HEADER}\n${row('park-london-96-2689', 'park')}`.replaceAll('\t', ',');
    expect(parse(commas)).toEqual(plain);
    expect(parse(`\uFEFF${commas.replaceAll('\n', '\r\n')}\r\n\r\n`)).toEqual(plain);
    expect(parse(commas.replaceAll(/[^,\n]+/g, '"$&"'))).toEqual(plain);
    expect(parse(`${HEADER}\n${row('park-london-96-2689-a', 'park')}`)[0]?.location).toBe('london-96');
  });

  it('reads a test split without labels and the one-second files of an evaluation set', () => {
    const text = 'filename_audio\tfilename_video\naudio/0.wav\tvideo/0.mp4\naudio/1.wav\tvideo/1.mp4';
    const clips = parseSplit(text, 'fold1_test.csv', 'optional');
    expect(clips.map(({ name, label, location }) => [name, label, location])).toEqual([
      ['0', undefined, undefined],
      ['1', undefined, undefined],
    ]);
  });

  it.each([
    [
      'no header',
      row('park-london-96-2689', 'park'),
      /fold1_train.csv, row 1: the header lacks filename_audio/,
    ],
    ['an empty file', '', /row 1: the header lacks/],
    ['no label column', 'filename_audio,filename_video\na.wav,a.mp4', /lacks scene_label/],
    ['no row', `${HEADER}\n\n`, /fold1_train.csv lists no clip/],
    [
      'an unknown label',
      `${HEADER}\n${row('x-paris-1-2', 'beach')}`,
      /row 2: unknown scene_label "beach".*airport/,
    ],
    [
      'a label against the name',
      `${HEADER}\n${row('park-paris-1-2', 'bus')}`,
      /labelled bus, its name says park/,
    ],
    [
      'a short row',
      `${HEADER}\n${row('park-paris-1-2', 'park')}\na.wav`,
      /row 3: 1 cells where the header has 3/,
    ],
    [
      'a clip twice',
      `${HEADER}\n${row('a', 'bus')}\n\n${row('a', 'bus')}`,
      /row 4: audio\/a.wav is already.*row 2/,
    ],
    ['an absolute path', `${HEADER}\n/etc/passwd\tb.mp4\tbus`, /row 2: the path "\/etc\/passwd" leaves/],
    ['a drive', `${HEADER}\nC:\\x.wav\tb.mp4\tbus`, /leaves the data set's folder/],
    ['a way up', `${HEADER}\naudio/a.wav\tvideo/../../b.mp4\tbus`, /"video\/\.\.\/\.\.\/b.mp4" leaves/],
    ['a way up with backslashes', `${HEADER}\naudio\\..\\..\\a.wav\tb.mp4\tbus`, /leaves/],
    ['an empty name', `${HEADER}\n\tb.mp4\tbus`, /row 2: a file name is empty/],
  ])('refuses %s', (_what, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('refuses a clip in both splits', () => {
    const clips = parse(`${HEADER}\n${row('park-paris-1-2', 'park')}`);
    expect(() => assertDisjoint(clips, clips)).toThrow(/park-paris-1-2 is also a training clip/);
    expect(() => assertDisjoint(clips, parse(`${HEADER}\n${row('park-paris-2-3', 'park')}`))).not.toThrow();
  });

  it('say which scenes a training split lacks', () => {
    const only = parse(`${HEADER}\n${row('park-paris-1-2', 'park')}`);
    const others = parse(`${HEADER}\n${row('bus-lyon-1-1', 'bus')}\n${row('park-lyon-2-1', 'park')}`);
    expect(missingScenes(only, others)).toBe(
      'the training split has no clip of airport, bus, metro, metro_station, public_square, shopping_mall, street_pedestrian, street_traffic, tram: nets cannot learn them, and 1 clips of the evaluation split are of these',
    );
    const all = SCENES.map((scene, i) => row(`${scene}-paris-${i}-1`, scene)).join('\n');
    expect(missingScenes(parse(`${HEADER}\n${all}`), others)).toBeNull();
  });

  it('takes identities apart', () => {
    expect(parseIdentity('audio/street_pedestrian-helsinki-148-4492.wav')).toEqual({
      scene: 'street_pedestrian',
      city: 'helsinki',
      location: 'helsinki-148',
      segment: '4492',
    });
    expect(parseIdentity('audio/12.wav')).toBeUndefined();
  });
});

describe('validation split', () => {
  const lines = SCENES.flatMap((scene, s) =>
    Array.from({ length: 60 }, (_, i) => row(`${scene}-city-${s * 100 + (i % 7)}-${i}`, scene)),
  );
  const clips = parse([HEADER, ...lines].join('\n'));

  it('shares no location, holds about the fraction of each scene, and repeats', () => {
    const { train, validation } = splitByLocation(clips, 0.3, 5);
    expect(train.length + validation.length).toBe(clips.length);
    const held = new Set(validation.map((clip) => clip.location));
    expect(train.some((clip) => held.has(clip.location))).toBe(false);
    for (let label = 0; label < SCENES.length; label++) {
      const share = validation.filter((clip) => clip.label === label).length / 60;
      expect(share).toBeGreaterThan(0.2);
      expect(share).toBeLessThan(0.4);
    }
    expect(splitByLocation(clips, 0.3, 5)).toEqual({ train, validation });
    expect(splitByLocation(clips, 0.3, 6).validation).not.toEqual(validation);
  });

  it('leaves every scene a location to train on, and none aside for a fraction of 0', () => {
    const { train } = splitByLocation(clips, 0.99, 1);
    expect(new Set(train.map((clip) => clip.label)).size).toBe(SCENES.length);
    expect(splitByLocation(clips, 0, 1).validation).toEqual([]);
    const single = clips.filter((clip) => clip.location === 'city-0');
    expect(splitByLocation(single, 0.5, 1).validation).toEqual([]);
  });

  it('says which clip does not tell its location, and which fractions there are', () => {
    const nameless = parse(`${HEADER}\n${row('noname', 'park')}`);
    expect(() => splitByLocation(nameless, 0.2, 1)).toThrow(
      /row 2: audio\/noname.wav does not tell its location/,
    );
    expect(() => splitByLocation(clips, 1, 1)).toThrow(/at least 0 and below 1, got 1/);
  });
});

describe('random streams', () => {
  it('repeat for one key, differ for others, and are uniform', () => {
    const draw = (...key: (number | string)[]): number[] => {
      const random = randomStream(...key);
      return Array.from({ length: 20_000 }, random);
    };
    const first = draw(1, 'order');
    expect(draw(1, 'order')).toEqual(first);
    const mean = first.reduce((sum, x) => sum + x) / first.length;
    const square = first.reduce((sum, x) => sum + (x - mean) ** 2, 0) / first.length;
    const other = draw(2, 'order');
    const correlation =
      first.reduce((sum, x, i) => sum + (x - 0.5) * ((other[i] ?? 0) - 0.5), 0) / first.length;
    console.log(
      `mean ${mean.toFixed(4)}, variance ${square.toFixed(4)}, correlation ${(12 * correlation).toFixed(4)}`,
    );
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(square - 1 / 12)).toBeLessThan(0.003);
    expect(Math.abs(12 * correlation)).toBeLessThan(0.03);
    expect(draw(1, 2)).not.toEqual(draw(2, 1));
    expect(draw(2 ** 40)).not.toEqual(draw(2 ** 41));
  });

  it('make permutations', () => {
    const order = permutation(1000, randomStream(3));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...order.subarray(0, 20)]).not.toEqual(Array.from({ length: 20 }, (_, i) => i));
  });
});
