// Embeddings of seconds by the frozen extractors of a loaded model, with or without augmentation.

import { PAPER_FEATURES } from '../../augment/features/policy.ts';
import { PAPER_PICTURES } from '../../augment/pictures/policy.ts';
import type { Device } from '../../../tensor/device.ts';
import { noGrad } from '../../../tensor/graph/autograd.ts';
import type { Tensor } from '../../../tensor/graph/tensor.ts';
import type { Augmentation } from '../../experiment/augmentation.ts';
import type { InputName } from '../../features/inputs.ts';
import type { PictureInput } from '../../features/pictures.ts';
import type { Extractor } from '../../models/extractor.ts';
import { embed, type Modality } from '../../models/joint.ts';
import { feedInputs, receive, type InputPlan, type SampleData } from '../../training/inputs.ts';

/** An extractor of the loaded model, with what it takes. */
export interface TeachingPart {
  readonly part: Modality;
  /** Name of the net in the loaded experiment. */
  readonly net: string;
  readonly input: InputName;
  readonly extractor: Extractor;
  readonly picture: PictureInput;
}

/** What the paper does to inputs of this kind; null if nothing. */
export function augmentationOf(input: InputName): Pick<Augmentation, 'features' | 'pictures'> {
  return {
    features: input === 'logmel' ? PAPER_FEATURES : null,
    pictures: input === 'frames' ? PAPER_PICTURES : null,
  };
}

/** Embeds one second at a time, by one compiled function for each kind of call. */
export class Embedder {
  readonly #part: TeachingPart;
  readonly #plain: Compiled;
  #augmented: (Compiled & { readonly seed: number }) | null = null;
  readonly #device: Device;

  constructor(device: Device, part: TeachingPart) {
    this.#device = device;
    this.#part = part;
    this.#plain = this.#compile(null, 0);
  }

  get part(): TeachingPart {
    return this.#part;
  }

  /** [outFeatures]. */
  embed(inputs: SampleData['inputs']): Promise<Float32Array<ArrayBuffer>> {
    return run(this.#plain, inputs, 0, 0);
  }

  /** The same of inputs that were augmented by draws of (seed, version, key). */
  augmented(
    inputs: SampleData['inputs'],
    { seed, version, key }: { readonly seed: number; readonly version: number; readonly key: number },
  ): Promise<Float32Array<ArrayBuffer>> {
    if (this.#augmented?.seed !== seed) {
      this.#augmented?.compiled.dispose();
      const augmentation = { extraClips: null, mixup: null, ...augmentationOf(this.#part.input) };
      this.#augmented = { ...this.#compile(augmentation, seed), seed };
    }
    return run(this.#augmented, inputs, version, key);
  }

  dispose(): void {
    this.#plain.compiled.dispose();
    this.#augmented?.compiled.dispose();
  }

  #compile(augmentation: Augmentation | null, seed: number): Compiled {
    const { part, input, extractor, picture } = this.#part;
    const plan: InputPlan = { parts: [{ part, from: input }], picture, augmentation, seed };
    const compiled = this.#device.compile((...tensors: Tensor[]) => {
      extractor.eval();
      return noGrad(() => {
        const values = receive(plan, tensors).inputs[part];
        if (values === undefined) throw new RangeError(`a second has no input for ${part}`);
        return embed(part, extractor, values);
      });
    });
    return { plan, compiled };
  }
}

interface Compiled {
  readonly plan: InputPlan;
  readonly compiled: ReturnType<Device['compile']>;
}

async function run(
  { plan, compiled }: Compiled,
  inputs: SampleData['inputs'],
  epoch: number,
  key: number,
): Promise<Float32Array<ArrayBuffer>> {
  const result = (await compiled(...feedInputs(plan, { inputs, epoch, keys: [key] }))) as Tensor;
  const row = Float32Array.from(await result.data());
  if (row.every(Number.isFinite)) return row;
  throw new Error(
    `the ${plan.parts[0]?.part} net gave no finite embedding: its weights are damaged, or the device was lost`,
  );
}
