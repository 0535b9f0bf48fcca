import type { Operand } from '../gpu/dispatch.ts';

/**
 * Numbers operands that are not always there. `first` keep the bindings from 0 on; X among `further` is bound at
 * X_BINDING_ where it is not null, and the parameters at PARAMS_BINDING_.
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
