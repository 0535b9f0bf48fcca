/*
 * Random small nets in all ways: fused and not, kernels for a CPU and for a GPU, eager and compiled, compared with the plainest
 * one. npm run fuzz -- --count 5000 --seed 1 [--minutes M] [--without eps,views] [--case JSON] [--precision f16]. Each finding is shrunk and printed
 * as JSON, which --case replays. Exit code 1 if there is one.
 */
import { parseArgs } from 'node:util';
import type { Case } from './fuzz/case.ts';
import { openDevices } from './fuzz/devices.ts';
import { drawCase, INGREDIENTS, type Ingredient } from './fuzz/draw.ts';
import { failsSurely, shrinkFinding, signatureOf, type Caught } from './fuzz/hunt.ts';
import { HALF_WAYS, judge, MARGIN, nameOf, WAYS } from './fuzz/judge.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: 'Infinity' },
    without: { type: 'string', default: '' },
    case: { type: 'string' },
    precision: { type: 'string', default: 'f32' },
    /** How many findings of one signature are shrunk. */
    each: { type: 'string', default: '3' },
  },
});

const ways = values.precision === 'f16' ? HALF_WAYS : WAYS;
const { devices, all, close } = await openDevices(values.precision === 'f16' ? 'f16' : 'f32');

function report({ finding, smallest, ways }: Caught, seed: number): void {
  console.log(`\nnet ${seed}: ${signatureOf(smallest, finding.fault)}`);
  console.log(`  ${ways.map(nameOf).join(', ')}`);
  console.log(`  ${finding.detail}`);
  console.log(`  ${JSON.stringify(smallest)}`);
}

async function replay(net: Case): Promise<void> {
  const { findings, refused, worst } = await judge(devices, net, ways);
  for (const { way, fault, detail } of findings) console.log(`${nameOf(way)}: ${fault}: ${detail}`);
  if (refused !== undefined) console.log(`all ways refuse it: ${refused}`);
  console.log(`${findings.length} findings; largest distance otherwise ${worst.toExponential(1)}`);
  if (findings.length > 0) process.exitCode = 1;
}

async function hunt(): Promise<void> {
  const [first, count] = [Number(values.seed), Number(values.count)];
  const without = new Set(
    values.without.split(',').filter((name): name is Ingredient => INGREDIENTS.includes(name as Ingredient)),
  );
  const start = performance.now();
  const minutes = (): number => (performance.now() - start) / 60_000;
  const signatures = new Map<string, number>();
  const tally = { nets: 0, found: 0, vanished: 0, refused: 0 };
  const held: number[] = [];
  let [worst, strain] = [0, 0];
  for (let seed = first; seed < first + count && minutes() < Number(values.minutes); seed++) {
    const net = drawCase(seed, without);
    const verdict = await judge(devices, net, ways);
    tally.nets++;
    worst = Math.max(worst, verdict.worst);
    strain = Math.max(strain, verdict.strain);
    if (verdict.refused !== undefined) {
      tally.refused++;
      console.log(`net ${seed} is refused: ${verdict.refused}`);
    }
    for (const fault of new Set(verdict.findings.map((finding) => finding.fault))) {
      const finding = verdict.findings.find((one) => one.fault === fault);
      if (finding === undefined) continue;
      if (!(await failsSurely(devices, net, finding))) {
        tally.vanished++;
        continue;
      }
      tally.found++;
      const caught = await shrinkFinding(devices, net, finding);
      const signature = signatureOf(caught.smallest, caught.finding.fault);
      const seen = signatures.get(signature) ?? 0;
      signatures.set(signature, seen + 1);
      if (seen < Number(values.each)) report(caught, seed);
    }
    if (tally.nets % 250 === 0) {
      for (const device of all) await device.sync();
      held.push(all.reduce((sum, device) => sum + device.counters.bytesHeld, 0));
      const megabytes = Math.round(process.memoryUsage().rss / 1e6);
      console.log(
        `${tally.nets} nets in ${minutes().toFixed(1)} minutes, ${tally.found} findings, ${tally.vanished} gone with other elements; ` +
          `${Math.round((held.at(-1) ?? 0) / 1e6)} MB on devices, ${megabytes} MB in the process`,
      );
    }
  }
  console.log(
    `\n${tally.nets} nets in ${ways.length} ways in ${minutes().toFixed(1)} minutes: ${tally.found} findings of ${signatures.size} kinds, ` +
      `${tally.vanished} that other elements did not show, ${tally.refused} refused; largest distance otherwise ${worst.toExponential(1)}, beyond it ${strain.toFixed(1)} times what last bits move (${MARGIN} are a finding)`,
  );
  for (const [signature, times] of [...signatures].sort(([, a], [, b]) => b - a))
    console.log(`${times} x ${signature}`);
  if (tally.found + tally.refused > 0) process.exitCode = 1;
}

if (values.case !== undefined) await replay(JSON.parse(values.case) as Case);
else await hunt();
await close();
