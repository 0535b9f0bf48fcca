// Experiments as files: those that come with the package, by name, and others by path.

import { readdir } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Experiment } from '../../experiment/experiment.ts';
import { extendExperiment } from '../../experiment/extend.ts';
import { object, text } from '../../experiment/fields.ts';
import { readExperiment } from '../../experiment/read.ts';
import { errorCode, messageOf, readSmallFile } from '../../../node/files.ts';

// The folder lies in the package's root: four levels up from this source file, one from a file of the build.
const ROOT = import.meta.url.endsWith('.ts') ? '../../../../experiments/' : '../experiments/';
export const EXPERIMENTS = fileURLToPath(new URL(ROOT, import.meta.url));

const MAX_BYTES = 2 ** 20;
const MAX_DEPTH = 8;

/** Names of the experiments that come with the package. */
export async function experimentNames(): Promise<string[]> {
  const files = await readdir(EXPERIMENTS).catch(() => []);
  return files.filter((file) => extname(file) === '.json').map((file) => file.slice(0, -'.json'.length));
}

/**
 * Reads an experiment: a path, or the name of one that comes with the package. A file may extend another one (`"extends": "paper"`, or
 * a path relative to it). Throws an Error of one sentence that names the file and the field at fault.
 */
export async function loadExperiment(nameOrPath: string): Promise<Experiment> {
  const path = pathOf(nameOrPath, process.cwd());
  return parse(path, await readRaw(path, 0));
}

/** The experiment of a JSON value in a file: a row of a table, for instance. */
export async function parseExperiment(value: unknown, file: string): Promise<Experiment> {
  return parse(file, await resolveBase(value, file, 0));
}

function parse(file: string, value: unknown): Experiment {
  try {
    return readExperiment(value);
  } catch (error) {
    throw new Error(`${file} is not an experiment: ${messageOf(error)}`, { cause: error });
  }
}

function pathOf(nameOrPath: string, folder: string): string {
  const isPath = /[\\/]/.test(nameOrPath) || extname(nameOrPath) === '.json';
  return isPath ? resolve(folder, nameOrPath) : join(EXPERIMENTS, `${nameOrPath}.json`);
}

async function readRaw(path: string, depth: number): Promise<unknown> {
  return resolveBase(await readJson(path), path, depth);
}

async function resolveBase(value: unknown, file: string, depth: number): Promise<unknown> {
  try {
    const { extends: base, ...changes } = object(value, 'the experiment');
    if (base === undefined) return changes;
    if (depth >= MAX_DEPTH) throw new Error(`experiments extend each other more than ${MAX_DEPTH} deep`);
    return extendExperiment(await readRaw(pathOf(text(base, 'extends'), dirname(file)), depth + 1), changes);
  } catch (error) {
    const message = messageOf(error);
    throw new Error(message.startsWith('/') ? message : `${file}: ${message}`, { cause: error });
  }
}

/** A JSON file. Throws an Error of one sentence that names it. */
export async function readJson(path: string): Promise<unknown> {
  let content: string;
  try {
    content = (await readSmallFile(path, MAX_BYTES)).toString();
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    const names = (await experimentNames()).join(', ');
    throw new Error(`there is no experiment ${path}; those that come with wavelight: ${names}`, {
      cause: error,
    });
  }
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new Error(`${path} is not JSON: ${messageOf(error)}`, { cause: error });
  }
}
