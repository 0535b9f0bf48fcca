import { LOSS_SCALE_WORDS } from '../../kernels/loss_scale.ts';
import type { Span } from '../../kernels/optimizer.ts';
import { cloneOp } from './basic_ops.ts';
import { accumulateUnscaledOp, beginOp, GROWTH, timesOp, unscaleOp } from './loss_scale_ops.ts';
import { record, recordOne } from './op.ts';
import type { Recording } from './recording.ts';
import { paddedLength, type LogicalStorage } from './storage.ts';
import { Tensor, type GradientScale, type Recorder } from './tensor.ts';
import { Value } from './value.ts';
import { formatValue } from './wording.ts';

/** What a loss scale remembers. */
export interface LossScaleState {
  /** What losses are multiplied by, a power of two of 1 to 2^24. */
  readonly scale: number;
  /** Steps in a row without overflow since the scale last changed. */
  readonly goodSteps: number;
  /** Steps that were skipped since the device was made or `load` was called, plus those loaded. */
  readonly skipped: number;
}

const START: LossScaleState = { scale: 65536, goodSteps: 0, skipped: 0 };

/** What a loss scale asks of its device. */
interface Host extends Recorder {
  readonly recording: Recording;
  createTensor(
    shape: readonly number[],
    data: () => Uint32Array<ArrayBuffer>,
    options: { readonly role: 'statistic'; readonly dtype: 'u32' },
  ): Tensor;
  overwrite(tensor: Tensor, data: Uint32Array<ArrayBuffer>): void;
  guard(holds: () => boolean): void;
}

/**
 * Dynamic loss scaling, as PyTorch's GradScaler does it, decided on the device. In a function compiled with precision 'f16', `backward`
 * starts from the scale instead of 1, so that small gradients survive in f16, and divides the leaves' gradients by it at its end: `grad`
 * has true values. If a gradient is infinite or NaN, optimizers skip their steps until the next backward, and leave parameters and
 * their own state as they were. The scale is halved after such a step and doubled after 2000 others in a row.
 */
export class LossScale implements GradientScale {
  /**
   * A device's state, u32 [6]; see shaders/lib_loss_scale.wgsl. A round goes from one backward to the first one after a step: the next
   * round's first dispatch settles it, since no earlier one knows whether another optimizer has still to see the overflow.
   */
  readonly #state: Tensor;
  readonly #device: Host;
  /** Scales in functions of precision f32 and in eager mode too: there the scale must change no bit. For tests. @internal */
  everywhere = false;

  /** @internal */
  constructor(device: Host) {
    this.#device = device;
    this.#state = device.createTensor([LOSS_SCALE_WORDS], () => encode(START), {
      role: 'statistic',
      dtype: 'u32',
    });
  }

  /** Reads the state after all steps so far. */
  async state(): Promise<LossScaleState> {
    return this.decode((await this.#state.data()) as Uint32Array);
  }

  /** Continues from a state that `state` gave; without one, begins anew. Throws a RangeError for numbers that it cannot have, an Error inside a compiled function. */
  load(state: LossScaleState = START): void {
    const { scale, goodSteps, skipped } = state;
    const isCount = (n: number): boolean => Number.isInteger(n) && n >= 0 && n < 2 ** 32;
    if (!(Number.isInteger(Math.log2(scale)) && scale >= 1 && scale <= GROWTH.maxScale))
      throw new RangeError(`a loss scale is a power of two of 1 to 2^24, got ${formatValue(scale)}`);
    if (!isCount(goodSteps) || !isCount(skipped)) {
      throw new RangeError(
        `goodSteps and skipped are numbers of steps, got ${formatValue(goodSteps)} and ${formatValue(skipped)}`,
      );
    }
    this.#device.overwrite(this.#state, encode(state));
  }

  /** A copy of the state at this place of a recording, u32, for `decode`: read late, it stalls nothing. */
  snapshot(): Tensor {
    return recordOne(cloneOp, [this.#state], { shape: this.#state.shape, dtype: 'u32' }, null);
  }

  /** The state in a snapshot, with the round under way counted if a step has ended it. */
  decode([bits = 0, goodSteps = 0, skipped = 0, overflow, stepped, scaled]: Uint32Array): LossScaleState {
    const scale = new Float32Array(Uint32Array.of(bits).buffer)[0] ?? 0;
    if (stepped === 0 || scaled === 0) return { scale, goodSteps, skipped };
    if (overflow !== 0) return { scale: Math.max(scale / 2, 1), goodSteps: 0, skipped: skipped + 1 };
    if (goodSteps + 1 < GROWTH.growthInterval) return { scale, goodSteps: goodSteps + 1, skipped };
    return { scale: Math.min(scale * 2, GROWTH.maxScale), goodSteps: 0, skipped };
  }

  /** True if a backward that is recorded now is scaled. @internal */
  get scales(): boolean {
    return this.everywhere || this.#device.recording.precision === 'f16';
  }

  /** Begins a round if a step has ended the last one; gives the gradient of a backward's root: the scale or 1, times `seed`. @internal */
  begin(root: Tensor, seed: Tensor | null): Tensor {
    const shape = seed === null ? root.shape : [];
    const factor = recordOne(beginOp, [this.#state], { shape }, { scaled: this.scales });
    if (seed === null) return factor;
    return this.scales ? recordOne(timesOp, [seed, factor], { shape: seed.shape }, null) : seed.detach();
  }

  /** Begins a round if a step has ended the last one, for gradients that no backward makes. @internal */
  settle(): void {
    if (this.#device.recording.nodes.at(-1)?.op === beginOp) return;
    recordOne(beginOp, [this.#state], { shape: [] }, { scaled: false }).dispose();
  }

  /** grad += gradient / scale. @internal */
  accumulate(grad: Tensor, gradient: Tensor): void {
    record(accumulateUnscaledOp, [grad, this.#state, gradient], [], null);
  }

  /** Divides gradients by the scale in place; neighbors in a flat vector in one dispatch. @internal */
  unscale(gradients: readonly Tensor[]): void {
    const storages = gradients.map(({ value }) => value.storage);
    const parts = storages.map(({ part }) => part);
    this.#device.guard(() =>
      storages.every(({ part }, i) => part?.whole === parts[i]?.whole && part?.offset === parts[i]?.offset),
    );
    for (const [whole, spans] of spansIn(storages)) {
      const flat = new Tensor(this.#device, new Value([whole.length], whole));
      record(unscaleOp, [flat, this.#state], [], spans);
      flat.dispose();
    }
  }

  /** The state, for the gates of optimizers. @internal */
  get tensor(): Tensor {
    return this.#state;
  }
}

function encode({ scale, goodSteps, skipped }: LossScaleState): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(LOSS_SCALE_WORDS);
  new Float32Array(words.buffer)[0] = scale;
  words.set([goodSteps, skipped], 1);
  return words;
}

/** Storages as spans of the vectors that they are parts of. Gaps of a vector hold zeros, so neighbors share a span. */
function spansIn(storages: readonly LogicalStorage[]): Map<LogicalStorage, Span[]> {
  const spans = new Map<LogicalStorage, { offset: number; length: number }[]>();
  const ordered = storages.map((storage) => storage.range()).sort((a, b) => a.first - b.first);
  for (const { root, first, end } of ordered) {
    const found = spans.get(root) ?? [];
    spans.set(root, found);
    const last = found.at(-1);
    if (last !== undefined && first === last.offset + paddedLength(last.length))
      last.length = end - last.offset;
    else found.push({ offset: first, length: end - first });
  }
  // Whole fours are one dispatch; a vector is padded to more than that.
  for (const [root, found] of spans)
    for (const span of found)
      span.length = Math.min(Math.ceil(span.length / 4) * 4, root.length - span.offset);
  return spans;
}
