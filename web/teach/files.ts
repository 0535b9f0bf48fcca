// Recordings from files: a sound file and a video of the same name are one.

import type { SceneInput } from 'wavelight/avsc';
import { openRecording, type Recording } from '../judge/recording.ts';

const stemOf = (name: string): string => name.replace(/\.[^.]*$/, '');

/** Files by the name without its ending, in their order. */
export function groupFiles(files: readonly File[]): [name: string, files: readonly File[]][] {
  const groups = new Map<string, File[]>();
  for (const file of files) {
    const stem = stemOf(file.name);
    groups.set(stem, [...(groups.get(stem) ?? []), file]);
  }
  return [...groups];
}

/** The seconds of each recording among files of one name. Throws an Error of one sentence. */
export async function readSeconds(files: readonly File[]): Promise<readonly (readonly SceneInput[])[]> {
  const opened: Recording[] = [];
  try {
    for (const file of files) opened.push(await openRecording(file));
    const [first, second] = opened;
    const isPair =
      opened.length === 2 &&
      first !== undefined &&
      second !== undefined &&
      first.hasPictures !== second.hasPictures;
    const recordings = isPair ? [opened] : opened.map((recording) => [recording]);
    const all: (readonly SceneInput[])[] = [];
    for (const parts of recordings) all.push(await secondsOf(parts));
    return all;
  } finally {
    for (const recording of opened) recording.close();
  }
}

/** Of a pair the sound comes from the one without pictures. */
async function secondsOf(parts: readonly Recording[]): Promise<readonly SceneInput[]> {
  const ordered = [...parts].sort((a, b) => Number(b.hasPictures) - Number(a.hasPictures));
  const count = Math.min(...parts.map(({ seconds }) => seconds));
  const inputs: SceneInput[] = [];
  for (let second = 0; second < count; second++) {
    let input: SceneInput = {};
    for (const part of ordered) input = { ...input, ...(await part.input(second)) };
    inputs.push(input);
  }
  return inputs;
}
