import { bytesOf, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import { bakeParams, hasParams } from '../gpu/params.ts';
import type { CompiledFunction } from '../tensor/compile.ts';
import type { RecordedNode } from '../tensor/graph/node.ts';
import type { Plan } from '../tensor/plan/plan.ts';
import type { StepInput, StepResult } from '../tensor/trace.ts';
import { memoryOf, nameOf, rolesOf } from './memory.ts';
import { SENTENCES, type Reason } from './sentences.ts';
import type { BufferRole, InspectedDispatch, InspectedFusion, Inspection } from './types.ts';

export interface InspectOptions {
  /** Whether ops are planned together where that saves work. Default: as the device does it. */
  readonly fusion?: boolean;
}

/**
 * What a call of a compiled function with such inputs does: its dispatches with their WGSL, the ops whose work each does, and its
 * memory. The function is traced and planned for that; nothing runs, and everything is left as it was. Throws what tracing throws.
 */
export function inspect(
  step: CompiledFunction<StepResult>,
  inputs: readonly StepInput[],
  options: InspectOptions = {},
): Inspection {
  const { runtime, fusion: usual } = step.device;
  const fusion = options.fusion ?? usual;
  const seen: Plan[] = [];
  const statistics = step.plan(inputs, {
    fusion,
    onPlan: (plan) => seen.push(plan),
  });
  const [plan] = seen;
  if (plan === undefined) throw new Error('inspect: the compiled function gave no plan');
  const live = plan.nodes;
  const roleOf = rolesOf(plan, live);
  const reasons = plan.dispatches.map((dispatch) => reasonsOf(dispatch, live));
  const dispatches = plan.dispatches.map((dispatch, i) => ({
    ...inspectDispatch(dispatch, roleOf, runtime.gpu.bakesParams),
    reasons: reasons[i] ?? [],
  }));
  return {
    adapter: runtime.gpu.description.name,
    fusion,
    operations: live.map(({ op, outputs }, i) => ({
      name: op.name,
      shapes: outputs.map(({ shape }) => [...shape]),
      dispatches: dispatches.flatMap(({ operations }, at) => (operations.includes(i) ? [at] : [])),
    })),
    dispatches,
    fusions: fusionsOf(reasons),
    memory: memoryOf(plan, roleOf),
    statistics,
  };
}

/** What a reason means, in one sentence. */
export const explain = (reason: Reason): string => SENTENCES[reason];

function inspectDispatch(
  dispatch: Dispatch,
  roleOf: (buffer: BufferRef) => BufferRole,
  baked: boolean,
): Omit<InspectedDispatch, 'reasons'> {
  const {
    label,
    shape = '',
    code,
    constants = {},
    params = {},
    operands,
    workgroups,
    flops,
    units = null,
    bytes,
  } = dispatch;
  return {
    kernel: label,
    shape,
    wgsl: baked && hasParams(dispatch) ? bakeParams(dispatch) : code,
    constants: { ...constants },
    params: Object.fromEntries(Object.entries(params).map(([name, { value }]) => [name, value])),
    workgroups,
    bindings: operands.map(({ buffer, access }, binding) => ({
      binding,
      access,
      role: roleOf(buffer),
      buffer: nameOf(buffer),
      dtype: buffer.dtype,
      length: buffer.length,
      bytes: bytesOf(buffer),
    })),
    flops,
    units,
    bytes,
    operations: operationsOf(dispatch),
    reader: dispatch.origin?.reader ?? null,
  };
}

/** The second stage of split sums: what is fused with the op happens in the first. */
const isSumOfSplits = ({ label }: Dispatch): boolean => label.endsWith('sum of splits');

const operationsOf = (dispatch: Dispatch): readonly number[] => {
  const nodes = dispatch.origin?.nodes ?? [];
  return isSumOfSplits(dispatch) ? nodes.slice(0, 1) : [...nodes];
};

/** Fusion's reasons, and what the dispatch itself tells. */
function reasonsOf(dispatch: Dispatch, nodes: readonly RecordedNode[]): Reason[] {
  const { constants = {}, origin } = dispatch;
  if (origin === undefined) return ['copiedForRoles'];
  if (isSumOfSplits(dispatch)) return ['splitSum'];
  const ops = origin.nodes.flatMap((index) => nodes[index] ?? []);
  const has = (names: RegExp, inputs = 0): boolean =>
    ops.some(({ op, inputs: given }) => names.test(op.name) && given.length >= inputs);
  return [
    ...(origin.why as readonly Reason[]),
    ...(has(/^(conv2d|matmul)$/, 3) ? (['biasInStore'] as const) : []),
    ...(has(/^(adam|sgd)/) ? (['allParameters'] as const) : []),
    ...(Object.keys(constants).some((name) => name.startsWith('FIRST_')) ? (['splitForTime'] as const) : []),
  ];
}

/** In the order in which the reasons first occur. */
function fusionsOf(reasons: readonly (readonly Reason[])[]): InspectedFusion[] {
  return [...new Set(reasons.flat())].map((reason) => ({
    reason,
    sentence: SENTENCES[reason],
    dispatches: reasons.flatMap((own, i) => (own.includes(reason) ? [i] : [])),
  }));
}
