/*
 * Feeds the checkpoint readers with hostile files: node tools/fuzz-checkpoints.ts --count 200000 --seed 1 [--format torch-zip].
 * Each input must be read, or refused by one clear sentence, within 2 s of processor time and 256 MB. Inputs run in child
 * processes with little memory, which are killed if they do not answer. Offending inputs are saved to files, and the exit code
 * is then 1.
 */
import { FORMATS, hostileInput, outcomeOf } from '../test/support/hostile/inputs.ts';
import { fuzz, servedAsChild, type Fuzzed } from './fuzzing.ts';

const fuzzing: Fuzzed<(typeof FORMATS)[number]> = {
  formats: FORMATS,
  // Patience is generous, because the machine may be busy.
  limits: { seconds: 2, megabytes: 256, patience: 20, heap: 256 },
  batch: 2500,
  input: hostileInput,
  outcome: outcomeOf,
};

if (!(await servedAsChild(fuzzing))) await fuzz(import.meta.filename, fuzzing);
