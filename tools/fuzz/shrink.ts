/** Makes a case smaller for as long as it fails in the same manner. */
import type { Case, Input, Step } from './case.ts';
import { layoutOf } from './layout.ts';

/** Tries smaller cases until none of them fails. `fails` is asked at most `most` times. */
export async function shrink(
  net: Case,
  fails: (candidate: Case) => Promise<boolean>,
  most = 600,
): Promise<Case> {
  let smallest = net;
  let asked = 0;
  for (let found = true; found;) {
    found = false;
    let candidates = [...smallerCases(smallest)];
    // What failed to fail is tried again in the next round only.
    for (let i = 0; i < candidates.length && asked < most; i++) {
      const candidate = candidates[i];
      if (candidate === undefined || !isValid(candidate)) continue;
      asked++;
      if (!(await fails(candidate))) continue;
      smallest = candidate;
      found = true;
      candidates = [...smallerCases(smallest)];
      i--;
    }
  }
  return smallest;
}

function isValid(net: Case): boolean {
  try {
    layoutOf(net);
    return net.losses.length + net.outputs.length > 0;
  } catch {
    return false;
  }
}

/** Large cuts first. */
function* smallerCases(net: Case): Generator<Case> {
  yield* withoutTail(net);
  for (let i = net.steps.length - 1; i >= 0; i--) yield withoutStep(net, i);
  const { optimizer, frozen, plant, keep, flush, clear, ...rest } = net;
  const flags = { ...(keep && { keep }), ...(flush && { flush }), ...(clear && { clear }) };
  const extras = { ...(optimizer && { optimizer }), ...(frozen && { frozen }), ...(plant && { plant }) };
  for (const key of Object.keys(extras)) yield { ...rest, ...flags, ...omit(extras, key) };
  for (const key of Object.keys(flags)) yield { ...rest, ...omit(flags, key), ...extras };
  if (optimizer) {
    if (optimizer.kind !== 'sgd') yield { ...net, optimizer: { ...optimizer, kind: 'sgd' } };
    for (const key of ['again', 'outside'])
      if (key in optimizer) yield { ...net, optimizer: omit(optimizer, key) };
  }
  if (plant && plant.index > 0) yield { ...net, plant: { ...plant, index: 0 } };
  if (plant && plant.name !== 'input0') yield { ...net, plant: { ...plant, name: 'input0' } };
  if (net.backward !== 'sum') yield { ...net, backward: 'sum' };
  for (let i = net.losses.length - 1; i >= 0; i--) yield { ...net, losses: net.losses.toSpliced(i, 1) };
  for (let i = net.outputs.length - 1; i >= 0; i--) yield { ...net, outputs: net.outputs.toSpliced(i, 1) };
  for (let i = 0; i < net.losses.length; i++) {
    const loss = net.losses[i];
    if (loss && loss.kind !== 'dot') yield { ...net, losses: net.losses.with(i, { ...loss, kind: 'dot' }) };
  }
  if (net.calls.length > 1) {
    yield { ...net, calls: net.calls.slice(0, 1) };
    yield { ...net, calls: net.calls.slice(-1) };
    if (net.calls.length > 2) yield { ...net, calls: net.calls.slice(0, 2) };
  }
  if (net.calls.includes('eval')) yield { ...net, calls: net.calls.map(() => 'train') };
  for (const [i, step] of net.steps.entries())
    for (const simpler of simplerSteps(step)) yield { ...net, steps: net.steps.with(i, simpler) };
  for (const [i, input] of net.inputs.entries())
    for (const smaller of smallerInputs(input)) yield { ...net, inputs: net.inputs.with(i, smaller) };
  yield* withoutUnusedInput(net);
}

const omit = <T extends object>(from: T, key: string): T =>
  Object.fromEntries(Object.entries(from).filter(([name]) => name !== key)) as T;

/** Without the steps after a value, which is returned or becomes the loss. */
function* withoutTail(net: Case): Generator<Case> {
  const first = net.inputs.length;
  for (const keep of [Math.floor(net.steps.length / 2), net.steps.length - 1]) {
    if (keep < 1 || keep >= net.steps.length) continue;
    const last = first + keep - 1;
    const clamp = (i: number): number => Math.min(i, last);
    yield {
      ...net,
      steps: net.steps.slice(0, keep),
      losses: net.losses.map((loss) => ({ ...loss, of: clamp(loss.of) })),
      outputs: [...new Set(net.outputs.map(clamp))],
    };
  }
}

/** Whoever used the step uses its first operand. */
function withoutStep(net: Case, index: number): Case {
  const gone = net.inputs.length + index;
  const instead = net.steps[index]?.of[0] ?? 0;
  return renumbered({ ...net, steps: net.steps.toSpliced(index, 1) }, (i) =>
    i === gone ? instead : i > gone ? i - 1 : i,
  );
}

function* withoutUnusedInput(net: Case): Generator<Case> {
  const used = new Set([
    ...net.steps.flatMap(({ of }) => [...of]),
    ...net.losses.map(({ of }) => of),
    ...net.outputs,
  ]);
  const index = net.inputs.findLastIndex((_, i) => !used.has(i));
  if (index >= 0 && net.inputs.length > 1)
    yield renumbered({ ...net, inputs: net.inputs.toSpliced(index, 1) }, (i) => (i > index ? i - 1 : i));
}

function renumbered(net: Case, to: (i: number) => number): Case {
  return {
    ...net,
    steps: net.steps.map((step) => ({ ...step, of: step.of.map(to) }) as unknown as Step),
    losses: net.losses.map((loss) => ({ ...loss, of: to(loss.of) })),
    outputs: [...new Set(net.outputs.map(to))],
  };
}

function* simplerSteps(step: Step): Generator<Step> {
  const { noGrad, ...rest } = step;
  if (noGrad === true) yield rest;
  switch (step.op) {
    case 'conv': {
      for (const key of ['groups', 'dilation', 'stride', 'bias', 'padding'])
        if (key in step) yield omit(step, key);
      if (step.kernel > 1) yield omit({ ...step, kernel: 1 }, 'padding');
      for (const out of [1, 2, 4]) if (out < step.out) yield { ...step, out };
      return;
    }
    case 'norm':
      for (const key of ['affine', 'stats', 'eps']) if (key in step) yield omit(step, key);
      return;
    case 'linear':
      if ('bias' in step) yield omit(step, 'bias');
      if (step.out > 1) yield { ...step, out: 1 };
      return;
    case 'unary':
      if (step.fn !== 'relu') yield { ...step, fn: 'relu' };
      return;
    case 'concat':
      if (step.of.length > 2)
        for (let i = step.of.length - 1; i >= 0; i--) yield { ...step, of: step.of.toSpliced(i, 1) };
      return;
    case 'pool':
      if (step.kind !== 'avg2') yield { ...step, kind: 'avg2' };
      return;
    case 'slice':
    case 'view':
    case 'like':
    case 'permute':
    case 'add':
    case 'mul':
    case 'dropout':
    case 'softmax':
    case 'detach':
      return;
  }
}

function* smallerInputs(input: Input): Generator<Input> {
  if (input.leaf === true) yield { shape: input.shape };
  for (const [i, size] of input.shape.entries())
    for (const smaller of [1, 2, 3, 4])
      if (smaller < size) yield { ...input, shape: input.shape.with(i, smaller) };
}
