import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSplit } from '../../../../src/avsc/node/data/dataset.ts';
import { prepareSplits } from '../../../../src/avsc/node/data/prepare-splits.ts';
import { temporaryFolder } from '../../media-files.ts';

const folder = temporaryFolder();
const HEADER = 'filename_audio\tfilename_video\tscene_label';
const row = (name: string): string => `audio/${name}.wav\tvideo/${name}.mp4\tbus`;

let count = 0;
/** A data set whose tables list the given rows; its media files a, b and c hold their names alone. */
function makeSet(train: readonly string[], evaluate: readonly string[] = []): string {
  const root = join(folder, `set-${count++}`);
  for (const name of ['audio', 'video', 'evaluation_setup']) mkdirSync(join(root, name), { recursive: true });
  for (const name of ['a', 'b', 'c']) {
    writeFileSync(join(root, 'audio', `${name}.wav`), name);
    writeFileSync(join(root, 'video', `${name}.mp4`), name);
  }
  writeTable(root, 'train', [HEADER, ...train].join('\n'));
  writeTable(root, 'evaluate', [HEADER, ...evaluate].join('\n'));
  return root;
}

function writeTable(root: string, split: string, text: string | Uint8Array): void {
  writeFileSync(join(root, 'evaluation_setup', `${split}.csv`), text);
}

const prepare = (root: string): ReturnType<typeof prepareSplits> =>
  prepareSplits(root, ['train', 'evaluate'], { cache: join(folder, 'cache') });

describe('a clip under two names', () => {
  it.each([
    ['a symbolic link', symlinkSync],
    ['a hard link', linkSync],
  ])('by %s is found within a split and in two splits', async (_what, link) => {
    const root = makeSet([row('a'), row('b'), row('linked')], [row('c'), row('other')]);
    link(join(root, 'audio/a.wav'), join(root, 'audio/linked.wav'));
    writeFileSync(join(root, 'video/linked.mp4'), 'linked');
    await expect(readSplit(root, 'train')).rejects.toThrow(
      /train.csv, row 4: audio\/linked.wav is the same file as audio\/a.wav in row 2; remove one of the two/,
    );
    writeTable(root, 'train', [HEADER, row('a'), row('b')].join('\n'));
    link(join(root, 'video/b.mp4'), join(root, 'video/other.mp4'));
    writeFileSync(join(root, 'audio/other.wav'), 'other');
    await expect(prepare(root)).rejects.toThrow(
      /evaluate.csv, row 3: video\/other.mp4 is the same file as video\/b.mp4 of a training clip \(.*train.csv, row 3\)/,
    );
  });

  it('by a linked folder is found; the link itself may lead out of the data set', async () => {
    const root = makeSet([row('a'), row('c')], ['sound/a2.wav\tvideo/b.mp4\tbus']);
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(root, 'sound'));
    writeFileSync(join(elsewhere, 'a2.wav'), 'a2');
    expect(await readSplit(root, 'evaluate')).toHaveLength(1);
    linkSync(join(root, 'audio/c.wav'), join(elsewhere, 'c2.wav'));
    writeTable(root, 'evaluate', [HEADER, 'sound/c2.wav\tvideo/b.mp4\tbus'].join('\n'));
    await expect(prepare(root)).rejects.toThrow(
      /sound\/c2.wav is the same file as audio\/c.wav of a training/,
    );
  });

  it('by another spelling is found within a split and in two splits', async () => {
    const spelled = './audio//a.wav\tvideo/b.mp4\tbus';
    await expect(readSplit(makeSet([row('a'), spelled]), 'train')).rejects.toThrow(
      /row 3: audio\/a.wav is already listed in row 2/,
    );
    await expect(prepare(makeSet([row('a')], [spelled]))).rejects.toThrow(/a is also a training clip/);
  });
});

describe('tables', () => {
  it('are read as Excel saves them', async () => {
    const root = makeSet([]);
    const text = `\uFEFFFilename_Audio\tFilename_Video\tScene_Label\r\n${row('b')}\r\n`;
    writeTable(root, 'train', Buffer.from(text, 'utf16le'));
    const [clip] = await readSplit(root, 'train');
    expect([clip?.name, clip?.source.line]).toEqual(['b', 2]);
    writeTable(root, 'train', Buffer.from(`${HEADER}\naudio/\xe4.wav`, 'latin1'));
    await expect(readSplit(root, 'train')).rejects.toThrow(
      /train.csv is neither UTF-8 nor UTF-16 with a byte order mark: save it as text in UTF-8$/,
    );
  });

  it('name all missing files in the order of their rows', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `none-${i}`);
    const error: unknown = await readSplit(makeSet(names.map(row)), 'train').catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({
      problems: names.flatMap((name, i) => [
        expect.stringMatching(`row ${i + 2}: audio/${name}.wav is not there`) as string,
        expect.stringMatching(`row ${i + 2}: video/${name}.mp4 is not there`) as string,
      ]),
    });
  });

  it.skipIf(process.platform === 'win32')(
    'may be no directory and no pipe (skipped on Windows, which has no mkfifo)',
    async () => {
      const root = makeSet([row('a')]);
      const setup = join(root, 'evaluation_setup');
      mkdirSync(join(setup, 'fold1_train.csv'));
      await expect(readSplit(root, 'train')).rejects.toThrow(/fold1_train.csv is a directory, not a file/);
      execFileSync('mkfifo', [join(setup, 'fold1_evaluate.csv')]);
      await expect(readSplit(root, 'evaluate')).rejects.toThrow(/fold1_evaluate.csv is a pipe, not a file/);
    },
  );
});
