import { BRAND, brandOf, type Brand } from './copies.ts';
import type { DType } from '../../gpu/dispatch.ts';
import { nextSequence, releaseHistory } from './autograd.ts';
import { reshapeOp } from './basic_ops.ts';
import type { TypedArray } from './dtype.ts';
import { asError } from './errors.ts';
import { activeTrace, watching, type Watched } from './guards.ts';
import { LossScale } from './loss_scale.ts';
import type { Op, OutputSpec, RecordedNode } from './node.ts';
import { randomSeed } from './random.ts';
import { checkRange } from './range.ts';
import { Recording, type Precision, type RunHook } from './recording.ts';
import { Scalars, type ScalarSlot } from './scalars.ts';
import { Scope } from './scope.ts';
import { checkShape, type Shape } from './shape.ts';
import { LogicalStorage, type Part, type Role } from './storage.ts';
import { Tensor, type GradNode, type Recorder } from './tensor.ts';
import { Value } from './value.ts';

export const WHY_GRADIENT_GONE = 'was a gradient that a later backward has overwritten: clone it to keep it';

/** A storage that becomes a part of a larger one. */
export interface Move {
  readonly storage: LogicalStorage;
  /** In elements. */
  readonly offset: number;
}

/**
 * Records what is done with tensors. It knows no memory: whoever extends it runs recordings and keeps elements, or only plans
 * (PlanningDevice).
 */
export abstract class RecordingDevice implements Recorder {
  /** Counts the runs; with the seed and the element it decides every random number. Saved and restored on resume. */
  randomStep = 0;
  /** @internal */
  readonly scalars = new Scalars();
  #recording = new Recording();
  #tracedFrom: number | null = null;
  readonly #scopes: Scope[] = [];
  #seedVersion = randomSeed.version;
  #lossScale: LossScale | null = null;
  readonly #watchedLossScale: Watched = { peek: () => this.#lossScale, restore: () => undefined };

  /** @internal */
  get [BRAND](): Brand {
    return brandOf('device');
  }

  /** Largest storage that a kernel can bind, in bytes. */
  abstract readonly maxStorageBytes: number;

  /** Submits what was recorded; resolves when it is submitted. Rejects if it cannot be planned or compiled. */
  abstract flush(): Promise<void>;

  /** Runs what was recorded and reads a tensor's elements. @internal */
  abstract read(tensor: Tensor): Promise<TypedArray>;

  /** Gives a storage its memory and fills it, before whatever is submitted next; throws a RangeError if none can hold it. @internal */
  abstract create(storage: LogicalStorage, data: () => TypedArray): void;

  /** Replaces the elements of a storage, after all that was asked for so far. `data` must not be changed afterwards. */
  protected abstract replace(storage: LogicalStorage, data: TypedArray): void;

  /** Gives a storage's memory back, after all that was asked for so far. */
  protected abstract free(storage: LogicalStorage): void;

  /** Makes memory for `whole`, of zeros, and moves the elements of its parts there, after all that was asked for so far. */
  protected abstract move(whole: LogicalStorage, parts: readonly Move[]): void;

  /** The scale of losses in functions compiled with precision 'f16'; null until there is one. */
  get lossScale(): LossScale | null {
    activeTrace()?.noteRead(this.#watchedLossScale);
    return this.#lossScale;
  }

  /** Makes the loss scale if there is none. Compiled functions notice and are traced anew. @internal */
  enableLossScale(): LossScale {
    return (this.#lossScale ??= new LossScale(this));
  }

  // Tensors

  /** A tensor of elements from the host that no scope owns, as what outlives a step must be. @internal */
  createTensor(
    shape: Shape,
    data: () => TypedArray,
    { role, dtype = 'f32' }: { readonly role: Role; readonly dtype?: DType },
  ): Tensor {
    const value = Value.create(dtype, shape, role, role);
    this.create(value.storage, data);
    value.storage.resident = true;
    return new Tensor(this, value);
  }

  /** Replaces a tensor's elements in place, after what was recorded before. Throws an Error inside a compiled function. @internal */
  overwrite(tensor: Tensor, data: TypedArray): void {
    const { storage } = tensor.value;
    // A failure marks the tensors it concerns, whose readers see it.
    this.flush().catch(() => undefined);
    storage.version++;
    this.replace(storage, data);
  }

  /** Moves storages into one new storage, one after another. Compiled functions notice the move and bind anew. @internal */
  pack(whole: LogicalStorage, parts: readonly Move[]): void {
    // What is recorded outside a trace was planned for the old places.
    if (!this.isTracing) this.flush().catch(() => undefined);
    this.move(whole, parts);
    whole.resident = true;
    for (const { storage, offset } of parts) this.attach(storage, { whole, offset });
  }

  /** Makes a storage a part of another, and no longer of the one before. @internal */
  attach(storage: LogicalStorage, part: Part): void {
    const before = storage.resident ? storage.part?.whole : undefined;
    storage.part = part;
    storage.resident = true;
    part.whole.handles++;
    if (before !== undefined) this.release(before);
  }

  // Recording

  /** @internal */
  record<Attrs>(
    op: Op<Attrs>,
    inputs: readonly Tensor[],
    outputs: readonly OutputSpec[],
    attrs: Attrs,
  ): Tensor[] {
    const results = outputs.map(({ shape, dtype = 'f32' }) => {
      checkShape(shape, op.name);
      return Value.create(dtype, shape, op.name);
    });
    this.#append({
      op: op,
      inputs: inputs.map(({ value }) => value),
      outputs: results,
      attrs,
    });
    for (const index of op.mutates ?? []) {
      const changed = inputs[index];
      if (changed !== undefined) this.noteChange(changed.value.storage);
    }
    return results.map((value) => this.adopt(new Tensor(this, value)));
  }

  /** @internal */
  recordReshape(x: Tensor, shape: Shape): Tensor {
    const { value } = x;
    value.storage.shared = true;
    const seen = new Value(shape, value.storage);
    seen.range = value.range;
    this.#append({ op: reshapeOp, inputs: [value], outputs: [seen], attrs: null });
    return this.adopt(new Tensor(this, seen));
  }

  #append(node: RecordedNode): void {
    // It would be done once, while tracing, and never by the compiled function.
    if (this.#tracedFrom === null && activeTrace() !== null)
      throw new Error(
        `${node.op.name}: its tensors lie on another device than the compiled function that uses them`,
      );
    const { nodes, pending } = this.#recording;
    for (const { storage } of [...node.inputs, ...node.outputs]) storage.uses++;
    for (const value of node.outputs) pending.add(value);
    nodes.push(node);
  }

  /** @internal */
  isPending(value: Value): boolean {
    return this.#recording.pending.has(value);
  }

  /** @internal */
  noteChange(storage: LogicalStorage): void {
    storage.version++;
    this.#recording.changed.add(storage);
  }

  /** Lets the innermost scope own the tensor. @internal */
  adopt(tensor: Tensor): Tensor {
    this.#scopes.at(-1)?.tensors.add(tensor);
    return tensor;
  }

  /** @internal */
  trackGradNode(node: GradNode): void {
    this.#scopes.at(-1)?.gradNodes.push(node);
  }

  /** @internal */
  nextRandomIndex(): number {
    return this.#recording.randomOps++;
  }

  /** A number that kernels read and that each run sets anew. @internal */
  scalar(): ScalarSlot {
    return this.scalars.allocate();
  }

  /** Calls `hook` before each run of what is being recorded, to set scalars. @internal */
  beforeRun(hook: RunHook): void {
    this.#recording.hooks.push(hook);
  }

  /** Lets a compiled function replay what is being recorded only while `holds` gives true. @internal */
  guard(holds: () => boolean): void {
    this.#recording.guards.push(holds);
  }

  /** @internal */
  requireRange(tensor: Tensor, end: number, what: string): void {
    const { value } = tensor;
    if (value.range !== null) checkRange(value.range, end, what);
    else this.#recording.ranges.push({ value, end, what });
  }

  /** What is being recorded; identifies it for those who keep something for each, as optimisers do their scalars. @internal */
  get recording(): Recording {
    return this.#recording;
  }

  /** @internal */
  get isTracing(): boolean {
    return this.#tracedFrom !== null;
  }

  /** @internal */
  get tracedFrom(): number | null {
    return this.#tracedFrom;
  }

  // Gradients

  /** @internal */
  noteGradient(leaf: Tensor, use: 'needed' | 'cleared'): void {
    const { gradientsAtEntry, gradientsBefore } = this.#recording;
    if (gradientsAtEntry.has(leaf)) return;
    const { grad } = leaf;
    gradientsAtEntry.set(leaf, use === 'cleared' ? 'any' : (grad?.value.storage ?? null));
    if (this.isTracing) gradientsBefore.set(leaf, grad === null ? null : new Tensor(this, grad.value));
  }

  /** @internal */
  gradientSlot(leaf: Tensor): LogicalStorage {
    return (leaf.gradStorage ??= new LogicalStorage(
      'f32',
      leaf.numel,
      `gradient of ${leaf.value.label}`,
      'gradient',
    ));
  }

  /** @internal */
  claimGradient(value: Value, slot: LogicalStorage): void {
    const { claimed } = this.#recording;
    if (!claimed.has(slot)) claimed.set(slot, slot.epoch);
    value.moveTo(slot, WHY_GRADIENT_GONE);
  }

  // Scopes and traces

  /** Runs `fn` and disposes every tensor made in it, except those in its result. `fn` must not be async. */
  scope<T>(fn: () => T): T {
    const { result, kept } = this.#inScope(fn);
    const outer = this.#scopes.at(-1);
    for (const tensor of kept.tensors) outer?.tensors.add(tensor);
    outer?.gradNodes.push(...kept.gradNodes);
    return result;
  }

  #inScope<T>(fn: () => T): { result: T; kept: ReturnType<Scope['close']> } {
    const scope = new Scope();
    this.#scopes.push(scope);
    try {
      const result = fn();
      if (result instanceof Promise) throw new TypeError('scope needs a function that is not async');
      return { result, kept: scope.close(result) };
    } catch (error) {
      scope.close(undefined);
      throw error;
    } finally {
      this.#scopes.pop();
    }
  }

  /**
   * Calls `fn` with an empty recording, which is given back instead of run, with fn's result and those of its tensors that were
   * made there; `settle` or `undo` it then. If `fn` throws, everything is left as it was.
   * @internal
   */
  trace<T>(
    fn: () => T,
    precision: Precision = 'f32',
  ): { result: T; made: readonly Tensor[]; recording: Recording } {
    if (this.isTracing) {
      throw new Error(
        'a compiled function was called inside another: call the plain function that it was made from',
      );
    }
    if (precision === 'f16') this.enableLossScale();
    const outer = this.#recording;
    if (!outer.isEmpty) throw new Error('trace needs an empty recording: flush first');
    const recording = new Recording(precision);
    this.#recording = recording;
    this.#tracedFrom = nextSequence();
    try {
      const { result, kept } = watching(recording.host, () => this.#inScope(fn));
      for (const tensor of kept.tensors) releaseHistory(tensor);
      return { result, made: kept.tensors, recording };
    } catch (error) {
      this.undo(recording);
      this.abandon(recording, error);
      throw error;
    } finally {
      this.#recording = outer;
      this.#tracedFrom = null;
    }
  }

  /** Accepts what a trace did to gradients. @internal */
  settle({ gradientsBefore }: Recording): void {
    for (const gradient of gradientsBefore.values()) gradient?.dispose();
    gradientsBefore.clear();
  }

  /** Takes back what a trace did to gradients and host variables. @internal */
  undo({ claimed, gradientsBefore, host }: Recording): void {
    host.undo();
    for (const [storage, epoch] of claimed) storage.epoch = epoch;
    for (const [leaf, gradient] of gradientsBefore) leaf.replaceGrad(gradient);
    gradientsBefore.clear();
  }

  // Runs and memory, for those who run recordings

  /** The recording so far; what comes next goes into a new one. */
  protected takeRecording(): Recording {
    if (this.isTracing) {
      throw new Error(
        'a compiled function cannot read or flush while it is traced: return the tensor and read the result',
      );
    }
    const recording = this.#recording;
    this.#recording = new Recording();
    return recording;
  }

  /** Counts a run and sets its scalars; gives them as they must be when the run's turn comes. @internal */
  prepareRun(hooks: readonly RunHook[]): Float32Array<ArrayBuffer> {
    if (this.#seedVersion !== randomSeed.version) {
      this.#seedVersion = randomSeed.version;
      this.randomStep = 0;
    }
    this.scalars.setRandom(randomSeed.value, this.randomStep++);
    for (const hook of hooks) hook();
    return this.scalars.snapshot();
  }

  /** @internal */
  release(storage: LogicalStorage): void {
    storage.handles--;
    this.#freeIfUnused(storage);
  }

  /** Marks recorded uses as done. @internal */
  finishUses(nodes: readonly RecordedNode[]): void {
    for (const { inputs, outputs } of nodes) {
      for (const { storage } of [...inputs, ...outputs]) {
        storage.uses--;
        this.#freeIfUnused(storage);
      }
    }
  }

  /** Marks what a recording would have made as failed. @internal */
  abandon({ nodes }: Recording, error: unknown): void {
    const failure = asError(error);
    for (const { outputs } of nodes) for (const value of outputs) value.failure ??= failure;
    this.finishUses(nodes);
  }

  #freeIfUnused(storage: LogicalStorage): void {
    if (storage.handles > 0 || storage.uses > 0 || !storage.resident) return;
    storage.resident = false;
    // Work that is under way may still look for it as a part.
    const { part } = storage;
    this.free(storage);
    if (part !== null) this.release(part.whole);
  }
}
