// Compiled functions of the code: each is looked into after its first call, and timed after the code has ended.

import { Device, Tensor, type CompiledFunction, type StepInput, type StepResult } from 'wavelight';
import { inspect, time, type StepTimes } from 'wavelight/inspect';
import type { SeenStep } from './protocol.ts';

/** Functions beyond that are not looked into. */
const STEPS = 8;
/** Calls of a step that are timed. */
const REPEATS = 3;

type Step = CompiledFunction<StepResult>;
interface Called {
  readonly step: Step;
  readonly inputs: readonly StepInput[];
}

const called: Called[] = [];

/** Has `device.compile` give functions whose first call is told to `seen`. */
export function observeCompile(seen: (step: SeenStep) => void): void {
  const original = Object.getOwnPropertyDescriptor(Device.prototype, 'compile')?.value as (
    this: Device,
    fn: (...inputs: Tensor[]) => StepResult,
  ) => Step;
  Device.prototype.compile = function (this: Device, fn: (...inputs: Tensor[]) => StepResult) {
    const step = original.call(this, fn);
    let first = true;
    return new Proxy(step, {
      async apply(target, _, inputs: StepInput[]) {
        const result = await target(...inputs);
        if (first && called.length < STEPS) {
          first = false;
          called.push({ step, inputs });
          seen(look(called.length - 1, step, inputs));
        }
        return result;
      },
    });
  } as typeof Device.prototype.compile;
}

function look(index: number, step: Step, inputs: readonly StepInput[]): SeenStep {
  const plan = inspect(step, inputs);
  return {
    index,
    inputs: inputs.map(shapeOf).join(', '),
    plan,
    other: inspect(step, inputs, { fusion: !plan.fusion }),
  };
}

/** `[32, 64]`; data without a shape has its length. */
function shapeOf(input: StepInput): string {
  if (typeof input !== 'object') return '[]';
  if ('shape' in input) return `[${input.shape.join(', ')}]`;
  const data = 'data' in input ? input.data : input;
  return typeof data === 'object' ? `[${data.length}]` : '[]';
}

/** Times each function, or says in a sentence why it cannot. */
export async function timeSteps(tell: (index: number, times: StepTimes | string) => void): Promise<void> {
  for (const [index, { step, inputs }] of called.entries()) {
    try {
      tell(index, await time(step, inputs, { repeats: REPEATS }));
    } catch (error) {
      tell(index, `It cannot be timed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
