// Clips and their identity, as the split files of TAU Urban Audio-Visual Scenes 2021 list them.

import { quote } from '../../nn/checkpoint/quote.ts';
import { SCENES, sceneIndex } from './scenes.ts';
import { parseTable, type TableRow } from './table.ts';

/** One recording: a sound file and a video file of the same seconds. */
export interface Clip {
  /** File name of the sound without folder and extension, such as `airport-paris-9-402`. */
  readonly name: string;
  /** Path of the sound file relative to the data set's folder, with forward slashes. */
  readonly audio: string;
  /** Path of the video file relative to the data set's folder, with forward slashes. */
  readonly video: string;
  /** Index among the scenes that the split was read with; undefined where the split has no labels. */
  readonly label: number | undefined;
  /** `city-location`, such as `paris-9`; undefined if the name does not contain it (the challenge's evaluation set). */
  readonly location: string | undefined;
  /** Where the clip is listed, for messages. */
  readonly source: { readonly file: string; readonly line: number };
  /** Identities of its files on the disk, equal for links to the same file; undefined where the disk was not looked at. */
  readonly files?: { readonly audio: string; readonly video: string };
}

interface ClipIdentity {
  readonly scene: string;
  readonly city: string;
  /** `city-location`. A validation part must share none with the training part. */
  readonly location: string;
  readonly segment: string;
}

/**
 * Reads `scene-city-location-segment` from a file's path; a trailing device letter `-a` is ignored.
 * Returns undefined for other names, such as those of the one-second files in the challenge's evaluation set.
 */
export function parseIdentity(path: string): ClipIdentity | undefined {
  const match = /^([a-z_]+)-([a-z_]+)-(\d+)-(\d+)(-a)?$/.exec(stem(path));
  if (!match) return undefined;
  const [, scene = '', city = '', place = '', segment = ''] = match;
  return { scene, city, location: `${city}-${place}`, segment };
}

/**
 * Reads a split file, whose labels are names of `scenes`. `labels` says whether the column scene_label is required; a test split may lack it.
 * Throws, naming `file` and the row: no header, an unknown label, a label that contradicts the file's name,
 * a path that is absolute or leaves the data set's folder, a clip listed twice (in any spelling of its path), no clip at all.
 */
export function parseSplit(
  text: string,
  file: string,
  labels: 'required' | 'optional',
  scenes: readonly string[] = SCENES,
): Clip[] {
  const paths = ['filename_audio', 'filename_video'];
  const rows =
    labels === 'required'
      ? parseTable(text, file, [...paths, 'scene_label'])
      : parseTable(text, file, paths, ['scene_label']);
  const clips = rows.map((row) => parseClip(row, file, scenes));
  if (clips.length === 0)
    throw new Error(`${file} lists no clip: it needs at least one row after the header`);
  const seen = new Map<string, number>();
  for (const clip of clips) {
    const before = seen.get(clip.audio);
    if (before !== undefined) {
      throw new Error(
        `${file}, row ${clip.source.line}: ${clip.audio} is already listed in row ${before}; remove one of the two`,
      );
    }
    seen.set(clip.audio, clip.source.line);
  }
  return clips;
}

/** Throws if the sound of two clips of a split is one file under two names: a link, or a name in upper and lower case. */
export function assertDistinct(clips: readonly Clip[]): void {
  const seen = new Map<string, Clip>();
  for (const clip of clips) {
    if (!clip.files) continue;
    const twin = seen.get(clip.files.audio);
    if (twin) {
      throw new Error(
        `${rowOf(clip)}: ${clip.audio} is the same file as ${twin.audio} in row ${twin.source.line}; remove one of the two`,
      );
    }
    seen.set(clip.files.audio, clip);
  }
}

/**
 * Throws if a clip is in both splits, by its name or by one of its files under another name:
 * metrics on training clips would mean nothing.
 */
export function assertDisjoint(train: readonly Clip[], evaluate: readonly Clip[]): void {
  const trained = new Map(train.map((clip) => [clip.name, clip]));
  const trainedFiles = new Map(
    train.flatMap((clip) => filesOf(clip).map(([file, path]) => [file, { clip, path }] as const)),
  );
  for (const clip of evaluate) {
    const twin = trained.get(clip.name);
    if (twin) {
      throw new Error(
        `${rowOf(clip)}: ${clip.name} is also a training clip (${rowOf(twin)}); remove it from one of the two`,
      );
    }
    for (const [file, path] of filesOf(clip)) {
      const shared = trainedFiles.get(file);
      if (shared) {
        throw new Error(
          `${rowOf(clip)}: ${path} is the same file as ${shared.path} of a training clip (${rowOf(shared.clip)}); ` +
            `remove it from one of the two`,
        );
      }
    }
  }
}

/** Identity and path of the files of a clip. */
function filesOf({ files, audio, video }: Clip): (readonly [file: string, path: string])[] {
  return files ? [[files.audio, audio] as const, [files.video, video] as const] : [];
}

const rowOf = ({ source }: Clip): string => `${source.file}, row ${source.line}`;

/** A sentence about scenes that the training clips lack; null if they have all. */
export function missingScenes(
  train: readonly Clip[],
  evaluate: readonly Clip[],
  scenes: readonly string[] = SCENES,
): string | null {
  const missing = scenes.filter((_, label) => !train.some((clip) => clip.label === label));
  if (missing.length === 0) return null;
  const lost = evaluate.filter(({ label }) =>
    missing.some((scene) => sceneIndex(scene, scenes) === label),
  ).length;
  const effect = lost === 0 ? '' : `, and ${lost} clips of the evaluation split are of these`;
  return `the training split has no clip of ${missing.join(', ')}: nets cannot learn them${effect}`;
}

function parseClip(row: TableRow, file: string, scenes: readonly string[]): Clip {
  const where = `${file}, row ${row.line}`;
  const audio = checkPath(row.cells.get('filename_audio') ?? '', where);
  const video = checkPath(row.cells.get('filename_video') ?? '', where);
  const identity = parseIdentity(audio);
  const written = row.cells.get('scene_label');
  const label = written === undefined ? undefined : sceneIndex(written, scenes);
  if (written !== undefined && label === undefined) {
    throw new Error(`${where}: unknown scene_label ${quote(written)}; it must be one of ${listed(scenes)}`);
  }
  const named = identity && sceneIndex(identity.scene, scenes);
  if (label !== undefined && named !== undefined && named !== label) {
    throw new Error(`${where}: ${audio} is labelled ${written}, its name says ${scenes[named]}`);
  }
  return {
    name: stem(audio),
    audio,
    video,
    label,
    location: identity?.location,
    source: { file, line: row.line },
  };
}

/**
 * Checks that a path stays inside the data set's folder, because the table is untrusted and files are read with the user's rights,
 * and gives it its shortest spelling. Links inside the folder are the user's and may lead elsewhere.
 */
function checkPath(path: string, where: string): string {
  const segments = path.replaceAll('\\', '/').split('/');
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(path))
    throw new Error(`${where}: the path ${quote(path)} has a control character; rename the file`);
  if (path !== '' && (segments[0] === '' || /^[a-zA-Z]:/.test(path))) {
    throw new Error(
      `${where}: the path ${quote(path)} is absolute; write it relative to the data set's folder, such as audio/a.wav`,
    );
  }
  if (segments.includes('..')) {
    throw new Error(
      `${where}: the path ${quote(path)} leaves the data set's folder; ` +
        `write it relative to that folder, without ".."`,
    );
  }
  const short = segments.filter((segment) => segment !== '' && segment !== '.').join('/');
  if (short === '') throw new Error(`${where}: a file name is empty`);
  return short;
}

const LISTED = 20;

const listed = (scenes: readonly string[]): string =>
  scenes.slice(0, LISTED).join(', ') + (scenes.length > LISTED ? ` and ${scenes.length - LISTED} more` : '');

function stem(path: string): string {
  return path.replace(/^.*[\\/]/, '').replace(/\.[^.]*$/, '');
}
