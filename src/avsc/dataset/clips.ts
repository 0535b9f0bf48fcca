// Clips and their identity, as the split files of TAU Urban Audio-Visual Scenes 2021 list them.

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
  /** Index in `SCENES`; undefined where the split has no labels. */
  readonly label: number | undefined;
  /** `city-location`, such as `paris-9`; undefined if the name does not contain it (the challenge's evaluation set). */
  readonly location: string | undefined;
  /** Where the clip is listed, for messages. */
  readonly source: { readonly file: string; readonly line: number };
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
 * Reads a split file. `labels` says whether the column scene_label is required; a test split may lack it.
 * Throws, naming `file` and the row: no header, an unknown label, a label that contradicts the file's name,
 * a path that leaves the data set's folder, a clip listed twice, no clip at all.
 */
export function parseSplit(text: string, file: string, labels: 'required' | 'optional'): Clip[] {
  const required = ['filename_audio', 'filename_video', ...(labels === 'required' ? ['scene_label'] : [])];
  const clips = parseTable(text, file, required).map((row) => parseClip(row, file));
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

/** Throws if a clip is in both splits: metrics on training clips would mean nothing. */
export function assertDisjoint(train: readonly Clip[], evaluate: readonly Clip[]): void {
  const trained = new Map(train.map((clip) => [clip.name, clip]));
  for (const clip of evaluate) {
    const twin = trained.get(clip.name);
    if (twin) {
      throw new Error(
        `${clip.source.file}, row ${clip.source.line}: ${clip.name} is also a training clip ` +
          `(${twin.source.file}, row ${twin.source.line}); remove it from one of the two`,
      );
    }
  }
}

/** A sentence about scenes that the training clips lack; null if they have all. */
export function missingScenes(train: readonly Clip[], evaluate: readonly Clip[]): string | null {
  const missing = SCENES.filter((_, label) => !train.some((clip) => clip.label === label));
  if (missing.length === 0) return null;
  const lost = evaluate.filter(({ label }) => missing.some((scene) => sceneIndex(scene) === label)).length;
  const effect = lost === 0 ? '' : `, and ${lost} clips of the evaluation split are of these`;
  return `the training split has no clip of ${missing.join(', ')}: nets cannot learn them${effect}`;
}

function parseClip(row: TableRow, file: string): Clip {
  const where = `${file}, row ${row.line}`;
  const audio = checkPath(row.cells.get('filename_audio') ?? '', where);
  const video = checkPath(row.cells.get('filename_video') ?? '', where);
  const identity = parseIdentity(audio);
  const written = row.cells.get('scene_label');
  const label = written === undefined ? undefined : sceneIndex(written);
  if (written !== undefined && label === undefined) {
    throw new Error(
      `${where}: unknown scene_label ${JSON.stringify(written)}; it must be one of ${SCENES.join(', ')}`,
    );
  }
  const named = identity && sceneIndex(identity.scene);
  if (label !== undefined && named !== undefined && named !== label) {
    throw new Error(`${where}: ${audio} is labelled ${written}, its name says ${SCENES[named]}`);
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

/** Checks that a path stays inside the data set's folder, because the table is untrusted and files are read with the user's rights. */
function checkPath(path: string, where: string): string {
  const slashed = path.replaceAll('\\', '/');
  if (slashed === '') throw new Error(`${where}: a file name is empty`);
  const absolute = slashed.startsWith('/') || /^[a-zA-Z]:/.test(slashed);
  if (absolute || slashed.split('/').includes('..') || slashed.includes('\0')) {
    throw new Error(
      `${where}: the path ${JSON.stringify(path)} leaves the data set's folder; ` +
        `write it relative to that folder, without ".."`,
    );
  }
  return slashed;
}

function stem(path: string): string {
  return path.replace(/^.*[\\/]/, '').replace(/\.[^.]*$/, '');
}
