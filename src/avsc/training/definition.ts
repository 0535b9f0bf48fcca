// What the metadata of a file of weights says of its nets, so that the file alone is enough to build them.

import { object, record, within, type Reader } from '../experiment/fields.ts';
import type { Experiment } from '../experiment/experiment.ts';
import { readExperiment } from '../experiment/read.ts';
import { writeExperiment } from '../experiment/write.ts';

const KEY = 'definition';
/** To be increased when the meaning of a definition changes. */
const VERSION = 1;

/** The models of a file. */
export interface Definition {
  readonly experiment: Experiment;
  /** What the names of a stage's tensors begin with in the file, by stage. */
  readonly prefixes: Readonly<Record<string, string>>;
}

/** The entry of the metadata. Paths of initial weights are left out, so that equal trainings write equal bytes. */
export function writeDefinition({ experiment, prefixes }: Definition): [key: string, text: string] {
  const nets = Object.fromEntries(
    Object.entries(experiment.nets).map(([name, net]) => [name, { ...net, weights: null }]),
  );
  const written = writeExperiment({ ...experiment, nets });
  return [KEY, JSON.stringify({ version: VERSION, experiment: written, prefixes })];
}

/** Null if the metadata has none. Throws an Error of one sentence that names the first field that is wrong. */
export function readDefinition(metadata: ReadonlyMap<string, string>): Definition | null {
  const text = metadata.get(KEY);
  if (text === undefined) return null;
  try {
    const fields = object(JSON.parse(text), 'it', ['version', 'experiment', 'prefixes']);
    if (fields['version'] !== VERSION)
      throw new Error(`version is ${JSON.stringify(fields['version'])}, this program reads ${VERSION}`);
    const experiment = readExperiment(fields['experiment']);
    const prefixes = record(readPrefix)(fields['prefixes'], 'prefixes');
    for (const stage of Object.keys(prefixes)) {
      if (!experiment.stages.some(({ id }) => id === stage))
        throw new Error(`${within('prefixes', stage)} is of no stage of the experiment`);
    }
    return { experiment, prefixes };
  } catch (error) {
    throw new Error(
      `the definition of its nets is not valid: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
}

const readPrefix: Reader<string> = (value, name) => {
  if (typeof value === 'string') return value;
  throw new Error(`${name} is ${JSON.stringify(value)}, it must be a text`);
};
