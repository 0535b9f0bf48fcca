import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Case } from '../../tools/fuzz/case.ts';
import { openDevices } from '../../tools/fuzz/devices.ts';
import { drawCase, type Ingredient } from '../../tools/fuzz/draw.ts';
import { judge, nameOf, ORACLE, WAYS, type Devices, type Way } from '../../tools/fuzz/judge.ts';
import { FULL } from '../support/scale.ts';

/*
 * Random nets in several ways against each op by itself, and what tools/fuzz-nets.ts found in the past. `npm run fuzz` runs thousands
 * in all ways, and shrinks what it finds.
 */
const NETS = { usual: 60, swiftshader: 8 };
/** So few kernels that software adapters compile them in seconds. */
const WITHOUT: ReadonlySet<Ingredient> = new Set(['variety', 'groups', 'dropout']);

const past = JSON.parse(readFileSync(new URL('fuzz-cases.json', import.meta.url), 'utf8')) as readonly {
  readonly name: string;
  readonly net: Case;
}[];

let devices: Devices;
let close: () => Promise<void>;
/** SwiftShader, which is minutes about the kernels for a GPU: `npm run test:all` has it all the same. */
let slow = false;
beforeAll(async () => {
  ({ devices, close } = await openDevices());
  const { name, architecture } = devices(ORACLE).description;
  slow = !FULL && /swiftshader/i.test(`${name} ${architecture}`);
});
afterAll(() => close());

/** Fused ways that this adapter is quick at. */
const fused = (): Way[] => WAYS.filter(({ fusion, kind }) => fusion && (kind === 'cpu' || !slow));

/** A line for each way that differs. */
async function complaints(net: Case, ways: readonly Way[]): Promise<string[]> {
  const { findings, refused } = await judge(devices, net, ways);
  const found = findings.map(({ way, fault, detail }) => `${nameOf(way)}: ${fault}: ${detail}`);
  return refused === undefined ? found : [...found, `all ways refuse it: ${refused}`];
}

describe('nets that fused plans once got wrong', () => {
  it.each(past.map(({ name, net }) => [name, net] as const))('%s', async (_, net) =>
    expect(await complaints(net, fused())).toEqual([]),
  );
});

describe('random nets', () => {
  it('give what each op by itself gives', async () => {
    const ways = fused().filter(({ compiled }) => compiled);
    const wrong: string[] = [];
    for (let seed = 0; seed < (slow ? NETS.swiftshader : NETS.usual); seed++) {
      const net = drawCase(seed, WITHOUT);
      const [first] = await complaints(net, ways);
      if (first !== undefined) wrong.push(`${first}\n${JSON.stringify(net)}`);
    }
    expect(wrong).toEqual([]);
  });
});
