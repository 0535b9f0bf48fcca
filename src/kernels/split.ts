import type { Dispatch } from '../gpu/dispatch.ts';
import { budgetsOf, type WorkBudget } from '../gpu/profile.ts';

const MAIN = /@compute[^{]*fn main\([^{]*\{/;
const BUILTIN = /@builtin\((workgroup_id|num_workgroups)\)\s*(\w+)\s*:\s*vec3u/g;
const AXES = ['X', 'Y', 'Z'] as const;

/**
 * A dispatch whose work is beyond the budget, as several that share its workgroups between them along one axis of the grid. A workgroup
 * finds its place in the whole grid, so that the kernel computes the same.
 */
export function splitDispatch(dispatch: Dispatch, budget: WorkBudget | null): Dispatch[] {
  if (budget === null) return [dispatch];
  const wanted = Math.ceil(budgetsOf(dispatch, budget));
  if (wanted <= 1) return [dispatch];
  const { code, workgroups, flops, bytes, constants } = dispatch;
  const axis = workgroups.indexOf(Math.max(...workgroups));
  const size = workgroups[axis] ?? 1;
  const part = Math.ceil(size / Math.min(wanted, size));
  const ofGrid = inWholeGrid(code, workgroups);
  if (part === size || ofGrid === null) return [dispatch];
  return Array.from({ length: Math.ceil(size / part) }, (_, i) => {
    const first = i * part;
    const count = Math.min(part, size - first);
    return {
      ...dispatch,
      code: ofGrid,
      constants: { ...constants, [`FIRST_${AXES[axis] ?? 'X'}`]: first },
      workgroups: workgroups.map((all, k) => (k === axis ? count : all)) as [number, number, number],
      flops: (flops * count) / size,
      bytes: (bytes * count) / size,
    };
  });
}

/**
 * The WGSL with a grid of `workgroups`, of which a dispatch runs those from (FIRST_X, FIRST_Y, FIRST_Z) on; null for kernels that take
 * their place from global_invocation_id, as those of small tables do.
 */
function inWholeGrid(code: string, workgroups: readonly number[]): string | null {
  const main = MAIN.exec(code);
  if (main === null || main[0].includes('global_invocation_id')) return null;
  const lines: string[] = [];
  const head = main[0].replace(BUILTIN, (_, builtin: string, name: string) => {
    lines.push(
      builtin === 'workgroup_id'
        ? `let ${name} = ${name}_of_part + vec3u(FIRST_X, FIRST_Y, FIRST_Z);`
        : `let ${name} = vec3u(${workgroups.map((count) => `${count}u`).join(', ')});`,
    );
    return `@builtin(${builtin}) ${name}_of_part: vec3u`;
  });
  const firsts = AXES.map((axis) => `override FIRST_${axis}: u32 = 0u;`);
  return [
    code.slice(0, main.index),
    ...firsts,
    [head, ...lines].join('\n  '),
    code.slice(main.index + main[0].length),
  ].join('\n');
}
