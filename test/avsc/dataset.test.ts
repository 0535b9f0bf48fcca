import { describe, expect, it } from 'vitest';
import {
  assertDisjoint,
  assertDistinct,
  missingScenes,
  parseIdentity,
  parseSplit,
  type Clip,
} from '../../src/avsc/dataset/clips.ts';
import { permutation, randomStream } from '../../src/avsc/dataset/random.ts';
import { SCENES } from '../../src/avsc/dataset/scenes.ts';
import { decodeTable } from '../../src/avsc/dataset/table.ts';
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

  it('reads headers in any case, blanks, semicolons, lone CR, extra columns and other spellings of paths', () => {
    const plain = parse(`${HEADER}\n${row('park-london-96-2689', 'park')}\n`);
    const lines = `${HEADER}\n${row('park-london-96-2689', 'park')}`;
    expect(parse(lines.replace(HEADER, 'Filename_Audio\tFILENAME_VIDEO\tScene_label'))).toEqual(plain);
    expect(parse(lines.replaceAll('\t', ' ; '))).toEqual(plain);
    expect(parse(lines.replaceAll('\n', '\r'))).toEqual(plain);
    expect(parse(lines.replaceAll(/[^\t\n]+/g, '  "$&" '))).toEqual(plain);
    expect(parse(lines.replaceAll('/', '//').replace('audio//', './audio/./'))).toEqual(plain);
    const [header, cells] = lines.replaceAll('\t', ',').split('\n');
    expect(parse(`${header},note\n${cells},"semicolon; comma, and ""quotes"" in it"`)).toEqual(plain);
    // The header may stand after empty lines.
    expect(parse(`\n \n${lines}`)[0]?.source.line).toBe(4);
  });

  it('decodes UTF-8 and UTF-16 with a byte order mark, and refuses the rest', () => {
    const text = `${HEADER}\n${row('park-köln-1-2', 'park')}`;
    const little = Uint8Array.from(Buffer.from(`\uFEFF${text}`, 'utf16le'));
    const big = Uint8Array.from(Buffer.from(little).swap16());
    const plain = new TextEncoder().encode(text);
    for (const bytes of [little, big, plain, new TextEncoder().encode(`\uFEFF${text}`)])
      expect(decodeTable(bytes, 'a.csv')).toBe(text);
    const message = 'a.csv is neither UTF-8 nor UTF-16 with a byte order mark: save it as text in UTF-8';
    for (const bytes of [
      little.subarray(2),
      little.subarray(0, 41),
      Uint8Array.from(Buffer.from(text, 'latin1')),
    ])
      expect(() => decodeTable(bytes, 'a.csv')).toThrow(message);
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
    ['an absolute path', `${HEADER}\n/etc/passwd\tb.mp4\tbus`, /row 2: the path "\/etc\/passwd" is absolute/],
    [
      'a drive',
      `${HEADER}\nC:\\x.wav\tb.mp4\tbus`,
      /is absolute; write it relative to the data set's folder/,
    ],
    ['a way up', `${HEADER}\naudio/a.wav\tvideo/../../b.mp4\tbus`, /"video\/\.\.\/\.\.\/b.mp4" leaves/],
    ['a way up with backslashes', `${HEADER}\naudio\\..\\..\\a.wav\tb.mp4\tbus`, /leaves/],
    ['an empty name', `${HEADER}\n\tb.mp4\tbus`, /row 2: a file name is empty/],
    ['the folder itself', `${HEADER}\n./\tb.mp4\tbus`, /row 2: a file name is empty/],
    [
      'a NUL',
      `${HEADER}\naudio/a\0.wav\tb.mp4\tbus`,
      /the path "audio\/a\\u0000.wav" has a control character/,
    ],
    [
      'an escape sequence',
      `${HEADER}\na.wav\t\x1b[2Jb.mp4\tbus`,
      /"\\u001b\[2Jb.mp4" has a control character/,
    ],
    [
      'a column twice',
      `${HEADER}\tScene_Label\na\tb\tbus\tbus`,
      /row 1: the header has the column scene_label twice/,
    ],
    [
      'an open quote',
      `${HEADER}\n"a.wav\tb.mp4\tbus`,
      /row 2: the quotation mark at character 1 is not closed/,
    ],
    [
      'text after a quote',
      `${HEADER}\n"a"b.wav\tb.mp4\tbus`,
      /row 2: text follows the closing .* character 3/,
    ],
    [
      'a quoted line break',
      `${HEADER}\n"a\nb.wav"\tb.mp4\tbus`,
      /row 2: the quotation mark .* is not closed/,
    ],
    [
      'a long label',
      `${HEADER}\na.wav\tb.mp4\t${'x'.repeat(60_000)}`,
      /row 2: unknown scene_label "x{80}…"; it/,
    ],
    ['__proto__ as a scene', `${HEADER}\na.wav\tb.mp4\t__proto__`, /row 2: unknown scene_label "__proto__"/],
    ['__proto__ as a header', '__proto__\tconstructor\n1\t2', /row 1: the header lacks filename_audio/],
    [
      'a line of 64 MiB',
      `${HEADER}\n${'x'.repeat(2 ** 26)}`,
      /row 2: 67108864 characters are more than a row/,
    ],
    ['millions of columns', ','.repeat(5_000_000), /row 1: 5000000 characters are more than a row/],
    [
      'more columns',
      `${HEADER}\n${'\t'.repeat(60_000)}x`,
      /row 2: 60001 cells where the header has 3 columns/,
    ],
    ['millions of rows', `${HEADER}${'\na\tb\tbus'.repeat(1_000_001)}`, /has more than 1000000 rows/],
  ])('refuses %s', (_what, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it.each(['./audio/a.wav', 'audio//a.wav', 'audio/./a.wav', 'audio\\a.wav'])(
    'refuse a clip twice, once as %s',
    (path) => {
      const text = `${HEADER}\n${row('a', 'bus')}\n${path}\tb.mp4\tbus`;
      expect(() => parse(text)).toThrow(/row 3: audio\/a.wav is already.*row 2/);
    },
  );

  it('refuses a clip in both splits', () => {
    const clips = parse(`${HEADER}\n${row('park-paris-1-2', 'park')}`);
    expect(() => assertDisjoint(clips, clips)).toThrow(/park-paris-1-2 is also a training clip/);
    expect(() => assertDisjoint(clips, parse(`${HEADER}\n${row('park-paris-2-3', 'park')}`))).not.toThrow();
  });

  it('refuses a file under two names, in a split and in both', () => {
    const [a, b] = parse(`${HEADER}\n${row('a', 'bus')}\n${row('b', 'bus')}`);
    if (!a || !b) throw new Error('two rows');
    const linked = (clip: Clip, audio: string, video: string): Clip => ({ ...clip, files: { audio, video } });
    const distinct = [linked(a, '1/1', '1/2'), linked(b, '1/3', '1/4')];
    expect(() => assertDistinct(distinct)).not.toThrow();
    expect(() => assertDistinct([linked(a, '1/1', '1/2'), linked(b, '1/1', '1/4')])).toThrow(
      'fold1_train.csv, row 3: audio/b.wav is the same file as audio/a.wav in row 2; remove one of the two',
    );
    expect(() => assertDisjoint([linked(a, '1/1', '1/2')], [linked(b, '1/3', '1/4')])).not.toThrow();
    expect(() => assertDisjoint([linked(a, '1/1', '1/2')], [linked(b, '1/3', '1/2')])).toThrow(
      'fold1_train.csv, row 3: video/b.mp4 is the same file as video/a.mp4 of a training clip (fold1_train.csv, row 2); ' +
        'remove it from one of the two',
    );
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
