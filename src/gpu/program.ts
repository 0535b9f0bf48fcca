import type { BufferRef, Dispatch } from './dispatch.ts';
import { BYTES_PER_ELEMENT } from './dispatch.ts';
import type { Gpu } from './gpu.ts';
import { packParams } from './params.ts';
import type { Compiled } from './pipelines.ts';
import { alignUp } from './storage.ts';
import type { Storage } from './storage.ts';

const UNIFORM_USAGE = 0x40 | 0x08; // UNIFORM | COPY_DST

interface Step {
  readonly dispatch: Dispatch;
  readonly compiled: Compiled;
}

/** A list of dispatches compiled for a device; bind it to memory once, then encode it as often as wanted. */
export class Program {
  readonly #gpu: Gpu;
  readonly #steps: readonly Step[];
  #uniforms: GPUBuffer | null = null;
  #groups: readonly GPUBindGroup[] | null = null;

  private constructor(gpu: Gpu, steps: readonly Step[]) {
    this.#gpu = gpu;
    this.#steps = steps;
  }

  static async compile(gpu: Gpu, dispatches: readonly Dispatch[]): Promise<Program> {
    const compiled = await gpu.pipelines.prepare(dispatches);
    return new Program(
      gpu,
      dispatches.map((dispatch, i) => ({ dispatch, compiled: compiled[i] as Compiled })),
    );
  }

  /**
   * Makes the bind groups. `place` says where each operand lies; `scalars` is what kernels with `usesScalars` read.
   * Throws an Error where a dispatch would bind one GPUBuffer both for reading and for writing.
   */
  bind(place: (ref: BufferRef) => Storage, scalars: Storage | null = null): void {
    this.destroy();
    const groups = new Map<string, GPUBindGroup>();
    const number = numberer();
    const offsets = this.#bindUniforms();
    this.#groups = this.#steps.map((step, i) => {
      const resources = resourcesOf(step, place, scalars, this.#uniforms, offsets[i] ?? 0);
      const key = [
        number(step.compiled.layout),
        ...resources.map(([at, r]) => `${at}:${number(r.buffer)}:${r.offset}:${r.size}`),
      ].join(' ');
      const known = groups.get(key);
      if (known !== undefined) return known;
      const group = this.#gpu.device.createBindGroup({
        label: step.dispatch.label,
        layout: step.compiled.layout,
        entries: resources.map(([binding, resource]) => ({ binding, resource })),
      });
      this.#gpu.counters.bindGroupsCreated++;
      groups.set(key, group);
      return group;
    });
  }

  /** Appends the dispatches as one compute pass. */
  encode(encoder: GPUCommandEncoder): void {
    const groups = this.#groups;
    if (groups === null) throw new Error('a program must be bound before it is encoded');
    const pass = encoder.beginComputePass();
    this.#steps.forEach(({ dispatch, compiled }, i) => {
      pass.setPipeline(compiled.pipeline);
      pass.setBindGroup(0, groups[i] as GPUBindGroup);
      pass.dispatchWorkgroups(...dispatch.workgroups);
    });
    pass.end();
    this.#gpu.counters.dispatches += this.#steps.length;
  }

  /** Encodes and submits the program alone. */
  run(): void {
    this.#gpu.submit((encoder) => this.encode(encoder));
  }

  /** Releases the uniform buffer; bind() makes the program usable again. */
  destroy(): void {
    if (this.#uniforms !== null) this.#gpu.destroyBuffer(this.#uniforms);
    this.#uniforms = null;
    this.#groups = null;
  }

  /** One uniform buffer for all parameters, equal ones shared; gives each step's offset into it. */
  #bindUniforms(): number[] {
    const slices: { offset: number; bytes: Uint8Array<ArrayBuffer> }[] = [];
    const known = new Map<string, number>();
    let end = 0;
    const offsets = this.#steps.map(({ dispatch, compiled }) => {
      if (!compiled.bindsParams) return 0;
      const bytes = packParams(dispatch);
      const key = bytes.join(',');
      const offset = known.get(key) ?? end;
      if (offset === end) {
        known.set(key, offset);
        slices.push({ offset, bytes });
        end += alignUp(bytes.length);
      }
      return offset;
    });
    if (end === 0) return offsets;
    const all = new Uint8Array(end);
    for (const { offset, bytes } of slices) all.set(bytes, offset);
    this.#uniforms = this.#gpu.createBuffer('params', end, UNIFORM_USAGE);
    this.#gpu.device.queue.writeBuffer(this.#uniforms, 0, all);
    return offsets;
  }
}

type Bound = readonly [binding: number, resource: { buffer: GPUBuffer; offset: number; size: number }];

function resourcesOf(
  { dispatch, compiled }: Step,
  place: (ref: BufferRef) => Storage,
  scalars: Storage | null,
  uniforms: GPUBuffer | null,
  uniformOffset: number,
): Bound[] {
  const { operands, label } = dispatch;
  const bound = operands.map(({ buffer: ref }, i): Bound => {
    const storage = place(ref);
    const size = alignUp(ref.length * BYTES_PER_ELEMENT);
    if (size > storage.bytes) {
      throw new RangeError(
        `${label}: operand ${i} has ${ref.length} elements, its storage only ${storage.bytes} bytes`,
      );
    }
    return [i, { buffer: storage.buffer, offset: storage.offset, size }];
  });
  checkConflicts(dispatch, bound);
  const hasParams = Object.keys(dispatch.params ?? {}).length > 0;
  if (compiled.bindsParams && uniforms !== null) {
    const size = packParams(dispatch).length;
    bound.push([operands.length, { buffer: uniforms, offset: uniformOffset, size }]);
  }
  if (dispatch.usesScalars) {
    if (scalars === null) throw new Error(`${label} reads the step's scalars, but none were bound`);
    const at = operands.length + (hasParams ? 1 : 0);
    bound.push([at, { buffer: scalars.buffer, offset: scalars.offset, size: scalars.bytes }]);
  }
  return bound;
}

/** WebGPU forbids one buffer in two roles within a dispatch, even where the ranges are apart. */
function checkConflicts({ label, operands }: Dispatch, bound: readonly Bound[]): void {
  operands.forEach(({ access }, i) => {
    operands.slice(0, i).forEach((other, j) => {
      const shared = bound[i]?.[1].buffer === bound[j]?.[1].buffer;
      if (shared && (access === 'read') !== (other.access === 'read')) {
        throw new Error(`${label}: operands ${j} (${other.access}) and ${i} (${access}) lie in one buffer`);
      }
    });
  });
}

function numberer(): (object: object) => number {
  const numbers = new Map<object, number>();
  return (object) => {
    const known = numbers.get(object);
    if (known !== undefined) return known;
    numbers.set(object, numbers.size);
    return numbers.size - 1;
  };
}
