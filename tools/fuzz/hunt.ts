/** From a seed to a finding that is sure and small. */
import type { Case } from './case.ts';
import { HALF_WAYS, judge, ORACLE, WAYS, type Devices, type Finding, type Way } from './judge.ts';
import { shrink } from './shrink.ts';

/**
 * Findings that remain with most of these other elements: where a value lies within rounding of a kink (of a ReLU, a maximum), ways
 * may rightly take different sides of it.
 */
const OTHER_SEEDS = [1_000_003, 2_000_003, 3_000_017];

/** True if the case fails in this way with most elements. */
export async function failsSurely(devices: Devices, net: Case, { way, fault }: Finding): Promise<boolean> {
  let failures = 0;
  for (const [tried, offset] of OTHER_SEEDS.entries()) {
    const { findings } = await judge(devices, { ...net, seed: net.seed + offset }, [way]);
    if (findings.some((finding) => finding.fault === fault)) failures++;
    if (failures > 1) return true;
    if (tried - failures >= 1) return false;
  }
  return false;
}

export interface Caught {
  readonly finding: Finding;
  readonly smallest: Case;
  /** All ways in which the smallest case fails. */
  readonly ways: readonly Way[];
}

/** Shrinks a finding and says in which ways the smallest case fails. */
export async function shrinkFinding(devices: Devices, net: Case, finding: Finding): Promise<Caught> {
  const { way, fault } = finding;
  const found = async (candidate: Case): Promise<boolean> => {
    const { findings } = await judge(devices, candidate, [way]);
    return findings.some((one) => one.fault === fault) && (await failsSurely(devices, candidate, finding));
  };
  const smallest = await shrink(net, found);
  const { findings } = await judge(devices, smallest, way.precision === 'f16' ? HALF_WAYS : WAYS);
  return {
    finding: findings.find((one) => one.way === way) ?? findings[0] ?? finding,
    smallest,
    ways: findings.map((one) => one.way).filter((one) => one !== ORACLE),
  };
}

/** What a case is made of, by which findings of one cause are told from others. */
export const signatureOf = (net: Case, fault: Finding['fault']): string =>
  `${fault}: ${net.steps.map((step) => step.op + (step.op === 'unary' ? ` ${step.fn}` : step.op === 'pool' ? ` ${step.kind}` : step.op === 'view' ? ` ${step.to}` : '')).join(', ')}`;
