import type { BufferRef, Dispatch } from './dispatch.ts';
import { bytesOf } from './dispatch.ts';
import { BufferUsage } from './flags.ts';
import type { Gpu } from './gpu.ts';
import { hasParams, packParams } from './params.ts';
import type { Compiled } from './pipelines.ts';
import { budgetsOf, type WorkBudget } from './profile.ts';
import { Profiler, byLabel, formatProfile } from './profiler.ts';
import { alignUp, formatBytes, numberer } from './storage.ts';
import type { Storage } from './storage.ts';

interface Step {
  readonly dispatch: Dispatch;
  readonly compiled: Compiled;
}

/** What goes into a program's submit beside it. */
interface RunParts {
  readonly before?: (encoder: GPUCommandEncoder) => void;
  readonly after?: (encoder: GPUCommandEncoder) => void;
  readonly profiler?: Profiler | undefined;
  /** First dispatches that are left out. */
  readonly skip?: number;
}

/** A list of dispatches compiled for a device; bind it to memory, then encode it as often as wanted. */
export class Program {
  readonly #gpu: Gpu;
  readonly #steps: readonly Step[];
  #uniforms: Uniforms | null = null;
  readonly #groups = new Map<string, GPUBindGroup>();
  readonly #numberOf = numberer();

  private constructor(gpu: Gpu, steps: readonly Step[]) {
    this.#gpu = gpu;
    this.#steps = steps;
  }

  static async compile(gpu: Gpu, dispatches: readonly Dispatch[]): Promise<Program> {
    const compiled = await gpu.pipelines.prepare(dispatches).catch((error: unknown) => gpu.explain(error));
    if (gpu.debug >= 1) gpu.log(describeProgram(dispatches));
    const steps = compiled.map((one, i) => ({ dispatch: dispatches[i] as Dispatch, compiled: one }));
    return new Program(gpu, steps);
  }

  /**
   * Makes the bind groups; dispatches that bind the same as before, for this or an earlier binding, share them. `place` says where
   * each operand lies; `scalars` is what kernels with `usesScalars` read. An earlier binding is a short cut, where only some
   * operands lie elsewhere than there.
   * Throws an Error where a dispatch would bind one GPUBuffer both for reading and for writing.
   */
  bind(
    place: (ref: BufferRef) => Storage,
    scalars: Storage | null = null,
    earlier?: { readonly bound: BoundProgram; readonly moved: ReadonlySet<BufferRef> },
  ): BoundProgram {
    const uniforms = (this.#uniforms ??= this.#makeUniforms());
    const groups = this.#steps.map((step, i) => {
      const stays = earlier && !step.dispatch.operands.some(({ buffer }) => earlier.moved.has(buffer));
      const group = stays ? earlier.bound.groups[i] : undefined;
      if (group !== undefined) return group;
      const uniform = uniforms.buffer && { buffer: uniforms.buffer, offset: uniforms.offsets[i] ?? 0 };
      const bound = bindingsOf(step, place, scalars, uniform);
      if (this.#gpu.debug >= 3) this.#gpu.log(describeBindings(step.dispatch, bound));
      return this.#group(step, bound);
    });
    return new BoundProgram(this.#gpu, this.#steps, groups);
  }

  #group({ dispatch: { label }, compiled: { layout } }: Step, bound: Bound[]): GPUBindGroup {
    const identity = bound.map(({ binding, resource: { buffer, offset, size } }) => [
      binding,
      this.#numberOf(buffer),
      offset,
      size,
    ]);
    const key = `${this.#numberOf(layout)} ${identity.join(' ')}`;
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const group = this.#gpu.device.createBindGroup({ label, layout, entries: bound });
    this.#gpu.counters.bindGroupsCreated++;
    this.#groups.set(key, group);
    return group;
  }

  /** Forgets bind groups, and with them the buffers that they hold. Bindings made before stay as they are. */
  forget(): void {
    this.#groups.clear();
  }

  /** Releases the uniform buffer; bindings made before cannot be used any more. */
  destroy(): void {
    if (this.#uniforms?.buffer) this.#gpu.destroyBuffer(this.#uniforms.buffer);
    this.#uniforms = null;
    this.forget();
  }

  /** One uniform buffer for all parameters, equal ones shared. */
  #makeUniforms(): Uniforms {
    const slices = new Map<string, { offset: number; bytes: Uint8Array }>();
    let end = 0;
    const offsets = this.#steps.map(({ dispatch, compiled }) => {
      if (compiled.uniform === null) return 0;
      const bytes = packParams(dispatch, compiled.uniform);
      const key = bytes.join(',');
      const known = slices.get(key);
      if (known !== undefined) return known.offset;
      const offset = end;
      slices.set(key, { offset, bytes });
      end += alignUp(bytes.length);
      return offset;
    });
    if (end === 0) return { buffer: null, offsets };
    const all = new Uint8Array(end);
    for (const { offset, bytes } of slices.values()) all.set(bytes, offset);
    const buffer = this.#gpu.createBuffer('params', end, BufferUsage.UNIFORM | BufferUsage.COPY_DST);
    this.#gpu.device.queue.writeBuffer(buffer, 0, all);
    return { buffer, offsets };
  }
}

/** Parameters of a program's dispatches that are not baked in, and where each dispatch finds its own. */
interface Uniforms {
  readonly buffer: GPUBuffer | null;
  readonly offsets: readonly number[];
}

/** A program bound to memory. */
export class BoundProgram {
  readonly #gpu: Gpu;
  readonly #steps: readonly Step[];
  /** One for each dispatch. */
  readonly groups: readonly GPUBindGroup[];
  /** Where each submit ends. */
  #ends: readonly number[] | null = null;

  constructor(gpu: Gpu, steps: readonly Step[], groups: readonly GPUBindGroup[]) {
    this.#gpu = gpu;
    this.#steps = steps;
    this.groups = groups;
  }

  /** Appends the dispatches, or those from `first` to before `end`, as one compute pass; with a profiler, as one pass each, timed. */
  encode(encoder: GPUCommandEncoder, profiler?: Profiler, first = 0, end = this.#steps.length): void {
    const steps = this.#steps.slice(first, end);
    if (profiler === undefined) {
      const pass = encoder.beginComputePass();
      this.#encodeInto(pass, steps, first);
      pass.end();
    } else {
      profiler.encode(encoder, steps, (pass, step, i) => this.#encodeInto(pass, [step], first + i));
    }
    this.#gpu.counters.dispatches += steps.length;
  }

  /** Appends all dispatches so many times, as one compute pass of that description. */
  encodeRepeated(encoder: GPUCommandEncoder, repeats: number, description: GPUComputePassDescriptor): void {
    const pass = encoder.beginComputePass(description);
    for (let i = 0; i < repeats; i++) this.#encodeInto(pass, this.#steps, 0);
    pass.end();
    this.#gpu.counters.dispatches += repeats * this.#steps.length;
  }

  #encodeInto(pass: GPUComputePassEncoder, steps: readonly Step[], first: number): void {
    steps.forEach(({ dispatch, compiled }, i) => {
      pass.setPipeline(compiled.pipeline);
      pass.setBindGroup(0, this.groups[first + i] ?? null);
      pass.dispatchWorkgroups(...dispatch.workgroups);
    });
  }

  /**
   * Encodes and submits the program in one submit, or a few where one would keep the device busy for too long, between copies that
   * belong to it. At debug level 2 its kernels' times are logged when they are known; with a profiler of the caller's they go there.
   */
  run({ before, after, profiler, skip = 0 }: RunParts = {}): void {
    const logged = profiler === undefined && this.#gpu.debug >= 2 && Profiler.supports(this.#gpu);
    const timer = logged ? new Profiler(this.#gpu) : profiler;
    const ends = (this.#ends ??= submitsOf(this.#steps, this.#gpu.geometry.budget));
    ends.forEach((end, i) => {
      this.#gpu.submit((encoder) => {
        if (i === 0) before?.(encoder);
        this.encode(encoder, timer, Math.max(skip, ends[i - 1] ?? 0), end);
        if (i === ends.length - 1) after?.(encoder);
      });
    });
    if (logged && timer !== undefined) void this.#log(timer);
  }

  async #log(profiler: Profiler): Promise<void> {
    try {
      this.#gpu.log(formatProfile(byLabel(await profiler.times())));
    } catch (cause) {
      // This promise is not awaited; the next awaited operation throws its error.
      this.#gpu.errors.push(cause instanceof Error ? cause.message : String(cause));
    } finally {
      profiler.destroy();
    }
  }
}

/** Where each submit of the dispatches ends: they hold two budgets of work at most, as far as single dispatches allow. */
function submitsOf(steps: readonly Step[], budget: WorkBudget | null): number[] {
  const ends: number[] = [];
  let work = 0;
  steps.forEach(({ dispatch }, i) => {
    const more = budget === null ? 0 : budgetsOf(dispatch, budget);
    if (work + more > 2 && i > 0) {
      ends.push(i);
      work = 0;
    }
    work += more;
  });
  return [...ends, steps.length];
}

interface Bound {
  readonly binding: number;
  readonly resource: { readonly buffer: GPUBuffer; readonly offset: number; readonly size: number };
}

/** Operands, then the parameters' uniform, then the step's scalars: see Dispatch. */
function bindingsOf(
  { dispatch, compiled }: Step,
  place: (ref: BufferRef) => Storage,
  scalars: Storage | null,
  uniform: { readonly buffer: GPUBuffer; readonly offset: number } | null,
): Bound[] {
  const { operands, label } = dispatch;
  const bound = operands.map(({ buffer: ref }, binding): Bound => {
    const { buffer, offset, bytes } = place(ref);
    const size = Math.min(alignUp(bytesOf(ref)), bytes);
    if (size < bytesOf(ref)) {
      throw new RangeError(
        `${label}: operand ${binding} takes ${bytesOf(ref)} bytes, but was placed into ${bytes}`,
      );
    }
    return { binding, resource: { buffer, offset, size } };
  });
  checkConflicts(dispatch, bound);
  if (compiled.uniform !== null && uniform !== null) {
    const size = Math.ceil(compiled.uniform.length / 4) * 16;
    bound.push({ binding: operands.length, resource: { ...uniform, size } });
  }
  if (dispatch.usesScalars) {
    if (scalars === null)
      throw new Error(`${label} reads the step's scalars, but the program was bound without`);
    const { buffer, offset, bytes: size } = scalars;
    bound.push({
      binding: operands.length + (hasParams(dispatch) ? 1 : 0),
      resource: { buffer, offset, size },
    });
  }
  return bound;
}

/** WebGPU forbids one buffer in two roles within a dispatch, even where the ranges are apart, and writing twice. */
function checkConflicts({ label, operands }: Dispatch, bound: readonly Bound[]): void {
  bound.forEach(({ binding: i, resource: a }) => {
    bound.slice(0, i).forEach(({ binding: j, resource: b }) => {
      if (a.buffer !== b.buffer) return;
      const [first, second] = [operands[j]?.access, operands[i]?.access];
      const mixed = (first === 'read') !== (second === 'read');
      const overlap = a.offset < b.offset + b.size && b.offset < a.offset + a.size;
      if (mixed || (first !== 'read' && overlap)) {
        throw new Error(`${label}: operands ${j} (${first}) and ${i} (${second}) cannot lie in one buffer`);
      }
    });
  });
}

function describeProgram(dispatches: readonly Dispatch[]): string {
  const flops = dispatches.reduce((sum, dispatch) => sum + dispatch.flops, 0);
  const bytes = dispatches.reduce((sum, dispatch) => sum + dispatch.bytes, 0);
  return `program: ${dispatches.length} dispatches, ${(flops / 1e6).toFixed(3)} MFLOP, ${formatBytes(bytes)} to move`;
}

function describeBindings({ label, operands, workgroups }: Dispatch, bound: readonly Bound[]): string {
  const parts = bound.map(({ binding, resource: { buffer, offset, size } }) => {
    const operand = operands[binding];
    const role = operand
      ? `${operand.access} ${operand.buffer.dtype}[${operand.buffer.length}]`
      : `${size} B`;
    return `${binding}: ${role} in ${buffer.label}+${offset}`;
  });
  return `${label} <${workgroups.join(', ')}>  ${parts.join('  ')}`;
}
