import type { Operand } from '../gpu/dispatch.ts';

/**
 * Binding numbers where operands may be absent: `first` are bound from 0 on, operand X of `further`, unless it is null, at
 * X_BINDING_, and the parameters at PARAMS_BINDING_.
 */
export function bindAll(
  first: readonly Operand[],
  further: Readonly<Record<string, Operand | null>>,
): { operands: Operand[]; substitute: Record<string, number> } {
  const operands = [...first];
  const substitute: Record<string, number> = {};
  for (const [name, operand] of Object.entries(further)) {
    if (operand === null) continue;
    substitute[`${name}_BINDING_`] = operands.length;
    operands.push(operand);
  }
  return { operands, substitute: { ...substitute, PARAMS_BINDING_: operands.length } };
}
