import { describe, expect, it } from 'vitest';
import type { Dispatch } from '../../src/gpu/dispatch.ts';
import { colorBuffers } from '../../src/tensor/plan/color.ts';
import { lifetimes, type Lifetime } from '../../src/tensor/plan/liveness.ts';
import { pack } from '../../src/tensor/plan/pack.ts';
import { LogicalStorage } from '../../src/tensor/graph/storage.ts';
import { Generator } from '../../src/tensor/graph/random.ts';

const nothing = () => false;

function dispatch(...operands: Dispatch['operands']): Dispatch {
  return { label: 'test', code: '', operands, workgroups: [1, 1, 1], flops: 0, bytes: 0 };
}

/** A random program in which each dispatch reads up to three earlier buffers and writes a new one. */
function randomProgram(seed: number, count: number): Dispatch[] {
  const generator = new Generator(seed);
  const made: LogicalStorage[] = [];
  return Array.from({ length: count }, (_, i) => {
    const reads = new Set(made.length === 0 ? [] : [1, 2, 3].map(() => made[generator.integer(made.length)]));
    const result = new LogicalStorage('f32', 1 + generator.integer(5000), `buffer ${i}`);
    made.push(result);
    return dispatch(
      { buffer: result, access: 'write' },
      ...[...reads].flatMap((buffer) => (buffer === undefined ? [] : [{ buffer, access: 'read' } as const])),
    );
  });
}

describe('planner', () => {
  it('packs random programs without overlap, within reach of the peak of live bytes', () => {
    let worst = 1;
    for (let seed = 0; seed < 30; seed++) {
      const program = randomProgram(seed, 120);
      const spans = lifetimes(program, nothing);
      const bytes = ({ buffer }: Lifetime) => Math.ceil(buffer.length / 64) * 256;
      const { slots, bins } = pack(spans, bytes, 2 ** 30);
      for (const a of spans) {
        for (const b of spans) {
          if (a === b || a.last < b.first || b.last < a.first) continue;
          const [x, y] = [slots.get(a), slots.get(b)];
          if (!x || !y) throw new Error('a lifetime has no slot');
          expect(x.offset + bytes(a) <= y.offset || y.offset + bytes(b) <= x.offset).toBe(true);
        }
      }
      const live = program.map((_, at) =>
        spans
          .filter(({ first, last }) => first <= at && at <= last)
          .reduce((sum, span) => sum + bytes(span), 0),
      );
      worst = Math.max(worst, (bins[0] ?? 0) / Math.max(...live));
    }
    console.log(`packing: at worst ${worst.toFixed(3)} times the peak of live bytes`);
    expect(worst).toBeLessThan(1.25);
  });

  it('opens another bin when one is full, and refuses what no bin holds', () => {
    const spans = [3, 3, 3].map((blocks, i): Lifetime => ({
      buffer: new LogicalStorage('f32', blocks * 64, `${i}`),
      first: 0,
      last: 1,
    }));
    const bytes = ({ buffer }: Lifetime) => buffer.length * 4;
    expect(pack(spans, bytes, 4 * 256).bins).toEqual([768, 768, 768]);
    expect(() => pack(spans, bytes, 2 * 256)).toThrow('does not fit');
  });

  it('never gives one color to what a dispatch reads and to what it writes', () => {
    for (let seed = 0; seed < 30; seed++) {
      const program = randomProgram(seed, 120);
      const colors = colorBuffers(program, nothing);
      for (const { operands } of program) {
        const [written, ...read] = operands.map(({ buffer }) => colors.get(buffer));
        expect(read).not.toContain(written);
      }
      expect(Math.max(...colors.values())).toBeLessThan(8);
    }
  });

  it('refuses a program that reads what nothing wrote', () => {
    const program = [dispatch({ buffer: new LogicalStorage('f32', 1, 'x'), access: 'read' })];
    expect(() => lifetimes(program, nothing)).toThrow('nothing has written');
  });
});
