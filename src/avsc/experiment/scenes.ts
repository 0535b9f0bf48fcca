// The names of an experiment's scenes.

import { SCENES } from '../dataset/scenes.ts';
import { list, text, type Reader } from './fields.ts';

const MIN_SCENES = 2;
const MAX_SCENES = 1000;
const MAX_NAME = 100;

/** 2 to 1000 different names of at most 100 characters, without control characters or spaces at their ends. Throws an Error of one sentence. */
export const readScenes: Reader<readonly string[]> = (value, name) => {
  if (Array.isArray(value) && (value.length < MIN_SCENES || value.length > MAX_SCENES))
    throw new Error(`${name} has ${value.length} names, it takes ${MIN_SCENES} to ${MAX_SCENES}`);
  const names = list(sceneName)(value, name);
  const seen = new Set<string>();
  for (const scene of names) {
    if (seen.has(scene)) throw new Error(`${name} has ${JSON.stringify(scene)} twice`);
    seen.add(scene);
  }
  return names;
};

const sceneName: Reader<string> = (value, name) => {
  const scene = text(value, name);
  if (scene.length > MAX_NAME)
    throw new Error(`${name} has ${scene.length} characters, a name has at most ${MAX_NAME}`);
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(scene)) throw new Error(`${name} has a control character`);
  if (scene.trim() !== scene)
    throw new Error(`${name} is ${JSON.stringify(scene)}, it must not begin or end with a space`);
  return scene;
};

/** Whether the names are the ten of the data set, in its order. */
export const areDefaultScenes = (scenes: readonly string[]): boolean =>
  scenes.length === SCENES.length && SCENES.every((scene, i) => scene === scenes[i]);
