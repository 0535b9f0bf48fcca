/*
 * Times the augmentation of pictures on the device beside a plain copy of the same bytes: node --import ./bin/wgsl.js
 * tools/measure-augment.ts [--rows 8] [--size 224] [--repeats 10]. Medians by dispatch, for the paper's policy, for each operation by
 * itself in both slots, and for none. Wants timestamps (lavapipe or a GPU).
 */
import { parseArgs } from 'node:util';
import { median } from '../bench/report.ts';
import { packPictures } from '../src/avsc/augment/pictures/pack.ts';
import { PICTURE_OPERATIONS } from '../src/avsc/augment/pictures/registry.ts';
import { drawProgram, PAPER_PICTURES, type PicturePolicy } from '../src/avsc/augment/pictures/policy.ts';
import { prepareFrames } from '../src/avsc/augment/pictures/prepare.ts';
import { randomStream } from '../src/avsc/dataset/random.ts';
import { Profiler } from '../src/gpu/profiler.ts';
import { INSTRUCTION_WORDS, pictureWords } from '../src/kernels/pictures.ts';
import '../src/index.ts';
import { NodeDevice } from '../src/node/device.ts';
import type { CompiledFunction } from '../src/tensor/compile.ts';
import type { Tensor } from '../src/tensor/graph/tensor.ts';
import type { StepInput } from '../src/tensor/trace.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '8' },
    size: { type: 'string', default: '224' },
    repeats: { type: 'string', default: '10' },
  },
});
const [rows, size, repeats] = [Number(values.rows), Number(values.size), Number(values.repeats)];
const FRAMES = 2;
const INPUT = { size, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

const device = await NodeDevice.create();
const random = randomStream(1);
const bytes = Uint8Array.from({ length: rows * FRAMES * 3 * size * size }, () => Math.floor(256 * random()));
const words = device.tensor(packPictures(bytes, size), [rows, FRAMES, pictureWords(size)]);

/** Medians in ms of each dispatch. */
async function time(step: CompiledFunction<Tensor>, ...inputs: StepInput[]): Promise<number[]> {
  await (await step(...inputs)).data();
  const runs: number[][] = [];
  for (let i = 0; i < repeats; i++) {
    const profiler = new Profiler(device.gpu);
    step.profile(profiler);
    await step(...inputs);
    runs.push((await profiler.times()).map(({ milliseconds }) => milliseconds));
    profiler.destroy();
  }
  return (runs[0] ?? []).map((_, i) => median(runs.map((run) => run[i] ?? Number.NaN)));
}

function report(what: string, times: readonly number[]): void {
  const total = times.reduce((sum, ms) => sum + ms, 0);
  console.log(
    `${what.padEnd(14)} ${total.toFixed(2).padStart(8)} ms   ${times.map((ms) => ms.toFixed(2)).join(' + ')}`,
  );
}

console.log(
  `${device.description.name}: ${rows} x ${FRAMES} pictures of ${size} x ${size}, median of ${repeats}`,
);
const frames = device.tensor(new Float32Array(bytes.length), [rows, FRAMES, 3, size, size]);
report(
  'copy of frames',
  await time(
    device.compile((x: Tensor) => x.clone()),
    frames,
  ),
);
report(
  'copy of words',
  await time(
    device.compile((x: Tensor) => x.clone()),
    words,
  ),
);
const none = device.compile((x: Tensor) => prepareFrames(x, null, null, INPUT));
report('no operation', await time(none, words));

const step = device.compile((x: Tensor, programs: Tensor) => prepareFrames(x, programs, null, INPUT));
const policies: readonly (readonly [string, PicturePolicy])[] = [
  ['paper', PAPER_PICTURES],
  ...PICTURE_OPERATIONS.map(({ name }) => [name, { ...PAPER_PICTURES, operations: [name] }] as const),
];
for (const [name, policy] of policies) {
  const programs = Array.from({ length: rows * FRAMES }, (_, i) =>
    drawProgram(policy, size, randomStream(2, i)),
  );
  const shape = [rows, FRAMES, policy.count, INSTRUCTION_WORDS];
  report(
    name,
    await time(step, words, { data: Int32Array.from(programs.flatMap((one) => [...one])), shape }),
  );
}
await device.destroy();
