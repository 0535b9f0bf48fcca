/*
 * The published checkpoints of DCASE 2021's baseline (github.com/shanwangshan/TAU-urban-audio-visual-scenes), whose layers are
 * numbered within a Sequential:
 *
 *   train/*_model/model.pt            model.0 fc1, .1 norm1, .4 fc2, .5 norm2, .8 fc3, .9 norm3, .12 fc4
 *   train_combine/*_model/model.pt    model.0 fc1, .1 fc2
 *
 * `train` has a head for sound, one for pictures (512 inputs each) and one for both side by side (1024 inputs).
 */
import type { CheckpointFile } from '../../nn/checkpoint/checkpoint.ts';
import { renamed, type NamedTensors } from './names.ts';

const HEAD = { 0: 'fc1', 1: 'norm1', 4: 'fc2', 5: 'norm2', 8: 'fc3', 9: 'norm3', 12: 'fc4' };
const LAST = { 0: 'fc1', 1: 'fc2' };

/** The file's tensors for `BaselineHead`. Unknown names stay as they are, so that loading them lists them. */
export const adaptBaselineHead = ({ tensors }: CheckpointFile): NamedTensors => numbered(tensors, HEAD);

/** Checkpoints of the submitted system: both heads, and the two layers on top of their embeddings. */
export interface BaselineFiles {
  readonly audio: CheckpointFile;
  readonly video: CheckpointFile;
  readonly fusion: CheckpointFile;
}

/** The files' tensors for `BaselineFusion`, which leaves out the heads' layers behind the embedding. */
export function adaptBaselineFusion({ audio, video, fusion }: BaselineFiles): NamedTensors {
  const stem = (part: string, file: CheckpointFile) =>
    [...adaptBaselineHead(file)]
      .filter(([name]) => !/^(?:norm2|fc3|norm3|fc4)\./.test(name))
      .map(([name, tensor]) => [`${part}.${name}`, tensor] as const);
  return new Map([...stem('audio', audio), ...stem('video', video), ...numbered(fusion.tensors, LAST)]);
}

function numbered(tensors: NamedTensors, layers: Readonly<Record<number, string>>): NamedTensors {
  return renamed(tensors, (name) => {
    const [, number = '', part = ''] = /^model\.(\d{1,3})\.(\w+)$/.exec(name) ?? [];
    const layer = number === '' ? undefined : layers[Number(number)];
    return layer === undefined ? name : `${layer}.${part}`;
  });
}
