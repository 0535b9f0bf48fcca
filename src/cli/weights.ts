// Options of commands that take published weights.

import { Option } from 'commander';
import { readCompanions, readNpyFile } from '../avsc/node/weights/companions.ts';
import { ARCHITECTURE_NAMES, type Architecture } from '../avsc/weights/architecture.ts';
import type { NamedTensors } from '../avsc/weights/names.ts';
import { MEAN_IMAGE, zeroMeanImage } from '../avsc/weights/squeezenet.ts';
import { messageOf } from '../node/files.ts';
import { UsageError } from './options.ts';

export function archOption(): Option {
  return new Option('--arch <name>', 'net of the weights').choices([...ARCHITECTURE_NAMES]);
}

export function meanOption(): Option {
  return new Option(
    '--mean <path>',
    `mean picture that squeezenet1_1 subtracts, or none (default: ${MEAN_IMAGE} beside the weights)`,
  );
}

/** Companions of the weights in `path`: the mean picture of --mean, or the files beside the weights. */
export async function companionsOf(
  architecture: Architecture,
  path: string,
  mean: string | undefined,
): Promise<NamedTensors> {
  if (mean === undefined) return readCompanions(architecture, path);
  if (!architecture.companions.includes(MEAN_IMAGE)) {
    throw new UsageError(`--mean is for nets that subtract a picture, which ${architecture.name} does not`);
  }
  if (mean === 'none') return new Map([[MEAN_IMAGE, zeroMeanImage()]]);
  const tensor = await readNpyFile(mean).catch((error: unknown) => {
    throw new Error(`cannot read the mean picture: ${messageOf(error)}`, { cause: error });
  });
  return new Map([[MEAN_IMAGE, tensor]]);
}
