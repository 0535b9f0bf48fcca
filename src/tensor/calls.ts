/*
 * Calls of a compiled function: its plan with what it needs to run, memory for a call's inputs and results, and what a call does on
 * the host.
 */
import type { Profiler } from '../gpu/profiler.ts';
import { Program, type BoundProgram } from '../gpu/program.ts';
import { checkRange, rangeOf } from './graph/range.ts';
import type { Precision } from './graph/recording.ts';
import { WHY_GRADIENT_GONE, type RecordingDevice } from './graph/recording_device.ts';
import { LogicalStorage } from './graph/storage.ts';
import { Tensor } from './graph/tensor.ts';
import { Value } from './graph/value.ts';
import { versionsOf } from './plan/pack_weights.ts';
import { acceptPlan } from './plan/plan.ts';
import { BoundPlan, type Runtime } from './runtime/runtime.ts';
import {
  heldStorages,
  traceFunction,
  type CheckedInput,
  type InputSpec,
  type StepResult,
  type TracedFunction,
} from './trace.ts';

/** Results of this many calls stay readable; older ones are overwritten. */
const RESULTS_KEPT = 4;

/** Color of rings that results are copied into. */
const COPIES = -1;

/** A device that runs plans. */
export type CompilingDevice = RecordingDevice & { readonly runtime: Runtime; readonly fusion: boolean };

/** A traced function at work. */
export interface CompiledPlan {
  readonly traced: TracedFunction;
  readonly compiling: Promise<Program>;
  /** Null until the first replay has awaited the program. */
  bound: BoundPlan | null;
  /** The binding that ran last. */
  program: BoundProgram | null;
  /** For each result a ring of storages, so that a late reader finds it. */
  readonly rings: ReadonlyMap<Tensor, Ring>;
  /** Pools of storages that the plan writes to. */
  readonly written: ReadonlySet<string>;
  turn: number;
  /** Versions of the parameters that the plan's copies are of; null where that is not known. */
  packedVersions: string | null;
  /** Gives the memory back. */
  readonly release: () => void;
}

/** Where a result of the last `RESULTS_KEPT` calls lies. */
interface Ring {
  readonly storages: readonly LogicalStorage[];
  /** The plan writes into the ring, instead of a storage of its own that is copied there. */
  readonly direct: boolean;
}

export function compilePlan(
  device: CompilingDevice,
  fn: (...inputs: Tensor[]) => StepResult,
  inputs: readonly InputSpec[],
  precision: Precision,
  hold: (storages: readonly LogicalStorage[], compiling: Promise<Program>) => () => void,
): CompiledPlan {
  const { target, gpu } = device.runtime;
  const traced = traceFunction(device, target, fn, inputs, { fusion: device.fusion, precision });
  acceptPlan(traced.plan);
  const rings = makeRings(traced);
  const compiling = Program.compile(gpu, traced.plan.dispatches);
  compiling.catch(() => undefined); // the first replay awaits it and reports
  const results = [...rings.values()].flatMap(({ storages }) => storages);
  const release = hold([...heldStorages(traced), ...results], compiling);
  return {
    traced,
    compiling,
    bound: null,
    program: null,
    rings,
    written: writtenPools(traced, rings),
    turn: 0,
    packedVersions: null,
    release,
  };
}

function makeRings({ plan, outputs }: TracedFunction): Map<Tensor, Ring> {
  const rings = new Map<Tensor, Ring>();
  const captured = new Set(plan.captured.values());
  const written = new Set<LogicalStorage>();
  const ringOf = ({ dtype, length, label }: LogicalStorage, color: number): LogicalStorage[] =>
    Array.from({ length: RESULTS_KEPT }, () => {
      const kept = new LogicalStorage(dtype, length, `result ${label}`, 'result');
      kept.color = color;
      kept.resident = true;
      kept.handles++;
      return kept;
    });
  for (const [tensor, { storage }] of outputs) {
    const own = plan.made.has(storage) && storage.role === 'value' && !written.has(storage);
    // Like the plan's own storage, the ring must not meet some others in a GPUBuffer.
    const ring = own ? ringOf(storage, storage.color) : [];
    if (own && !ring.some(({ pool }) => captured.has(pool))) {
      written.add(storage);
      rings.set(tensor, { storages: ring, direct: true });
    } else rings.set(tensor, { storages: ringOf(storage, COPIES), direct: false });
  }
  return rings;
}

function writtenPools({ plan, outputs }: TracedFunction, rings: ReadonlyMap<Tensor, Ring>): Set<string> {
  const pools = new Set<string>();
  for (const { operands } of plan.dispatches)
    for (const { buffer, access } of operands)
      if (access !== 'read' && buffer instanceof LogicalStorage) pools.add(buffer.pool);
  for (const tensor of outputs.keys())
    for (const { pool } of rings.get(tensor)?.storages ?? []) pools.add(pool);
  return pools;
}

/** True where tracing would now give the same recording, and what it was planned for has stayed. */
export function holds({ plan, entry, host, guards }: TracedFunction): boolean {
  for (const [leaf, storage] of entry) {
    if (storage !== 'any' && (leaf.grad?.value.storage ?? null) !== storage) return false;
  }
  for (const [storage, pool] of plan.captured) if (storage.pool !== pool) return false;
  return host.holds() && guards.every((guard) => guard());
}

/** Refuses class labels and indices that the host knows to be out of range. */
export function checkRanges({ ranges }: TracedFunction, inputs: readonly CheckedInput[]): void {
  for (const { input, end, what } of ranges) {
    const source = inputs[input];
    if (source === undefined) continue;
    const range = source instanceof Tensor ? source.value.range : rangeOf(source.data);
    if (range !== null) checkRange(range, end, what);
  }
}

/** The program of a plan, once it is compiled, with what is bound so far. */
export async function bindPlan({ runtime }: CompilingDevice, compiled: CompiledPlan): Promise<BoundPlan> {
  const program = await compiled.compiling;
  return (compiled.bound ??= new BoundPlan(runtime, compiled.traced.plan, program));
}

export function replay(
  device: CompilingDevice,
  compiled: CompiledPlan,
  inputs: readonly CheckedInput[],
  profiler: Profiler | undefined,
): Promise<StepResult> {
  const { queue } = device.runtime;
  // The caller may change an array before the queue gets to it.
  const call = startCall(device, compiled, inputs, compiled.bound === null || !queue.isIdle);
  const run = (bound: BoundPlan): StepResult => {
    const { program, before, after } = bindCall(device, compiled, bound, call);
    compiled.program = program;
    device.runtime.uploadScalars(call.scalars);
    call.sources.forEach((source, i) => uploadInput(device, source, compiled.traced.inputs[i]));
    const skip = compiled.packedVersions === call.versions ? compiled.traced.plan.packs : 0;
    program.run({ before, after, profiler, skip });
    compiled.packedVersions = call.versionsAfter;
    return call.result;
  };
  const done = queue.run(() => {
    if (compiled.bound !== null) return run(compiled.bound);
    return bindPlan(device, compiled).then(run);
  });
  const release = (): void => releaseSources(call);
  done.then(release, release);
  return done;
}

export function encodeCall(
  device: CompilingDevice,
  compiled: CompiledPlan,
  plan: BoundPlan,
  inputs: readonly CheckedInput[],
  encoder: GPUCommandEncoder,
): StepResult {
  const { runtime } = device;
  const { traced } = compiled;
  const call = startCall(device, compiled, inputs, false);
  runtime.gpu.encodedInTask(() => releaseSources(call));
  const { program, before, after } = bindCall(device, compiled, plan, call);
  // The caller may never submit this.
  compiled.packedVersions = null;
  runtime.gpu.scoped(() => {
    // Other calls may be encoded before this one is submitted: each brings its own numbers.
    if (traced.plan.dispatches.some(({ usesScalars }) => usesScalars))
      runtime.encodeUpload(encoder, call.scalars, runtime.scalars);
    call.sources.forEach((source, i) => {
      const to = traced.inputs[i];
      if (!(source instanceof Tensor) && to !== undefined)
        runtime.encodeUpload(encoder, source.data, runtime.memory.placeOf(to));
    });
    before(encoder);
    program.encode(encoder);
    after(encoder);
  });
  return call.result;
}

/** What one call of a compiled function works on. */
interface Call {
  readonly turn: number;
  readonly scalars: Float32Array<ArrayBuffer>;
  /** The inputs: tensors with handles of the call's own, or arrays. */
  readonly sources: readonly CheckedInput[];
  readonly result: StepResult;
  /** Versions of the parameters that products read copies of: before the call, and those that the copies are of after it. */
  readonly versions: string;
  readonly versionsAfter: string;
}

/** Does on the host what a call does, in the order in which calls are made. */
function startCall(
  device: CompilingDevice,
  compiled: CompiledPlan,
  inputs: readonly CheckedInput[],
  copyArrays: boolean,
): Call {
  const { traced } = compiled;
  const versions = versionsOf(traced.plan.packed);
  const scalars = device.prepareRun(traced.hooks);
  traced.host.replay();
  setGradients(device, traced);
  const turn = compiled.turn++ % RESULTS_KEPT;
  const result = handOut(device, compiled, turn);
  const sources = inputs.map((input) => {
    if (input instanceof Tensor) return new Tensor(device, input.value);
    return copyArrays ? { ...input, data: input.data.slice() } : input;
  });
  const versionsAfter = traced.plan.followed ? versionsOf(traced.plan.packed) : versions;
  return { turn, scalars, sources, result, versions, versionsAfter };
}

type Copy = readonly [from: LogicalStorage, to: LogicalStorage];

/** Finds memory for a call, and says what must be copied before and after the program. */
function bindCall(
  { runtime }: CompilingDevice,
  compiled: CompiledPlan,
  plan: BoundPlan,
  { sources, turn }: Call,
): {
  readonly program: BoundProgram;
  readonly before: (encoder: GPUCommandEncoder) => void;
  readonly after: (encoder: GPUCommandEncoder) => void;
} {
  const inputs = placeInputs(runtime, compiled, sources);
  const results = resultsOf(compiled);
  const bindTurn = (
    turn: number,
  ): { program: BoundProgram; elsewhere: Map<LogicalStorage, LogicalStorage> } => {
    const elsewhere = new Map(inputs.elsewhere);
    for (const { storage, ring } of results) {
      const to = ofTurn(ring, turn);
      runtime.memory.allocate(to);
      if (ring.direct) elsewhere.set(storage, to);
    }
    return { program: plan.bind(elsewhere), elsewhere };
  };
  const { bindings } = plan;
  const { program, elsewhere } = bindTurn(turn);
  // From the second call on, the next ones find theirs made. A function that is called once takes no memory for more.
  if (plan.bindings !== bindings && bindings > 0)
    for (let ahead = 1; ahead < RESULTS_KEPT; ahead++) bindTurn((turn + ahead) % RESULTS_KEPT);
  const copied = results
    .filter(({ ring }) => !ring.direct)
    .map(({ storage, ring }): Copy => [elsewhere.get(storage) ?? storage, ofTurn(ring, turn)]);
  const copyAll = (copies: readonly Copy[]) => (encoder: GPUCommandEncoder) =>
    copies.forEach(([from, to]) => runtime.copy(encoder, from, to));
  return { program, before: copyAll(inputs.copied), after: copyAll(copied) };
}

/** Tensors are read where they lie, unless a dispatch writes to a buffer that they may lie in; others get memory of the plan's own. */
function placeInputs(
  runtime: Runtime,
  { traced, written }: CompiledPlan,
  sources: readonly CheckedInput[],
): { readonly elsewhere: ReadonlyMap<LogicalStorage, LogicalStorage>; readonly copied: readonly Copy[] } {
  const elsewhere = new Map<LogicalStorage, LogicalStorage>();
  const copied: Copy[] = [];
  traced.inputs.forEach((input, i) => {
    const source = sources[i];
    const value = source instanceof Tensor ? source.value : null;
    if (value !== null && value.failure !== null) throw value.failure;
    const from = value?.storage ?? null;
    const inPlace = from !== null && !written.has(from.pool) && !written.has(input.pool);
    elsewhere.set(input, inPlace ? from : input);
    if (inPlace) return;
    runtime.memory.allocate(input);
    if (from !== null) copied.push([from, input]);
  });
  return { elsewhere, copied };
}

/** Storages of a plan's results, with where they are kept. */
const resultsOf = ({ traced, rings }: CompiledPlan): { storage: LogicalStorage; ring: Ring }[] =>
  [...rings].flatMap(([tensor, ring]) => {
    const storage = traced.outputs.get(tensor)?.storage;
    return storage === undefined ? [] : [{ storage, ring }];
  });

function ofTurn({ storages }: Ring, turn: number): LogicalStorage {
  const storage = storages[turn];
  if (storage === undefined) throw new RangeError(`a ring of ${storages.length} has no turn ${turn}`);
  return storage;
}

function uploadInput(
  { runtime }: CompilingDevice,
  source: CheckedInput,
  to: LogicalStorage | undefined,
): void {
  if (!(source instanceof Tensor) && to !== undefined) runtime.upload(to, source.data);
}

function releaseSources({ sources }: Call): void {
  for (const source of sources) if (source instanceof Tensor) source.dispose();
}

/** Does on the host what a run does to storages, and leaves the leaves' gradients as tracing did. */
function setGradients(device: RecordingDevice, { claimed, changed, exit }: TracedFunction): void {
  for (const storage of claimed) storage.claim(WHY_GRADIENT_GONE);
  for (const storage of changed) storage.version++;
  const fresh = new Set(claimed);
  for (const [leaf, storage] of exit) {
    const { grad } = leaf;
    if (storage === null) {
      if (grad !== null) leaf.replaceGrad(null);
    } else if (fresh.has(storage) || grad?.value.storage !== storage)
      leaf.replaceGrad(new Tensor(device, new Value(leaf.shape, storage)));
  }
}

/** New tensors for the results of this turn; those of RESULTS_KEPT turns ago become unreadable. */
function handOut(device: RecordingDevice, { traced, rings }: CompiledPlan, turn: number): StepResult {
  const fresh = new Map<Tensor, Tensor>();
  for (const [tensor, ring] of rings) {
    const storage = ofTurn(ring, turn);
    storage.claim(
      `was overwritten ${RESULTS_KEPT} calls of its compiled function later; read it sooner or clone it`,
    );
    fresh.set(tensor, new Tensor(device, new Value(tensor.shape, storage)));
  }
  return substitute(traced.result, fresh) as StepResult;
}

function substitute(value: unknown, fresh: ReadonlyMap<Tensor, Tensor>): unknown {
  if (value instanceof Tensor) return fresh.get(value);
  if (Array.isArray(value)) return value.map((item) => substitute(item, fresh));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, substitute(item, fresh)]));
  }
  return value;
}
