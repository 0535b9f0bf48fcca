// `wavelight bench ceilings|kernels|tune|model|augmentation|sound|host|peers`: measures this machine, against its ceilings and against other engines.

import { Command, InvalidArgumentError, Option } from 'commander';
import { benchAugmentation } from '../../bench/augmentation.ts';
import { benchHost } from '../../bench/host.ts';
import { benchModel, MODELS, planModel, type ModelName, type ModelPlan } from '../../bench/model.ts';
import { PEERS, type PeerName } from '../../bench/peers/roster.ts';
import { benchPeers } from '../../bench/peers/run.ts';
import { formatPeers } from '../../bench/peers/table.ts';
import { SHAPES, type Shapes } from '../../bench/peers/shapes.ts';
import { formatTable, machineOf } from '../../bench/report.ts';
import { benchSound } from '../../bench/sound.ts';
import { checkOutput } from '../node/files.ts';
import { measureCeilings } from '../gpu/ceilings.ts';
import { measureMultiprocessors } from '../gpu/multiprocessors.ts';
import { PROFILES } from '../gpu/profile.ts';
import { formatBytes } from '../gpu/storage.ts';
import { formatPlan } from '../tensor/plan/format.ts';
import type { Precision } from '../tensor/graph/recording.ts';
import type { Target } from '../gpu/profile.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { benchKernelsCommand } from './bench-kernels.ts';
import { benchTuneCommand } from './bench-tune.ts';
import { openDevice } from './device.ts';
import { give } from './give.ts';
import { checkPrecision, deviceOption, precisionOption, presetOption, UsageError, whole } from './options.ts';
import { preset, type PresetName } from '../avsc/experiment/presets.ts';
import { say } from './say.ts';

interface KernelOptions {
  readonly device: AdapterChoice;
  readonly batch: number;
  readonly repeats: number;
  readonly json?: boolean;
  readonly out?: string;
}

interface ModelOptions {
  readonly device: AdapterChoice;
  readonly model: ModelName;
  readonly batch: number;
  readonly steps: number;
  readonly precision: Precision;
  readonly memory?: true;
  readonly limits?: keyof typeof PROFILES;
  readonly text?: true;
  readonly fusion?: boolean;
  readonly json?: boolean;
  readonly out?: string;
}

interface PeerOptions {
  readonly device: AdapterChoice;
  readonly only: readonly PeerName[];
  readonly shapes: readonly Shapes[];
  readonly batch: number;
  readonly repeats: number;
  /** File to write, or true for stdout. */
  readonly json?: string | true;
}

export function benchCommand(): Command {
  const ceilings = new Command('ceilings')
    .description('measures what the device can do at most: multiply-adds, copies, dispatches, readbacks')
    .addOption(deviceOption())
    .option('--json', 'print JSON')
    .option('--out <file>', 'write JSON to a file')
    .action(runCeilings);
  const model = new Command('model')
    .description('times training steps of a net at its full size')
    .addOption(deviceOption())
    .addOption(new Option('--model <name>', 'net to train').choices(MODELS).default('joint'))
    .option('--batch <n>', 'one-second samples, or pictures for densenet161, per batch', whole(1), 2)
    .option('--steps <n>', 'number of steps, whose median is reported', whole(1), 3)
    .addOption(precisionOption())
    .option('--fusion', 'fuse ops even where it does not pay (SwiftShader)')
    .option('--no-fusion', 'plan without fusion')
    .option('--memory', 'plan the step and print its memory and work, without running it')
    .addOption(
      new Option('--limits <adapter>', 'with --memory: plan for this adapter, and open none').choices(
        Object.keys(PROFILES),
      ),
    )
    .option('--text', 'with --memory: print every dispatch of the plan')
    .option('--json', 'print JSON')
    .option('--out <file>', 'write JSON to a file')
    .action(runModel);
  const augmentation = new Command('augmentation')
    .description('times joint training steps with and without augmentation, in turns')
    .addOption(deviceOption())
    .addOption(presetOption('paper'))
    .option('--batch <n>', 'samples per batch', whole(2), 2)
    .option('--rounds <n>', 'number of steps of each, whose median is reported', whole(1), 3)
    .option('--json', 'print JSON')
    .option('--out <file>', 'write JSON to a file')
    .action(runAugmentation);
  const sound = new Command('sound')
    .description('times the CPU work on ten seconds of stereo: resampling, features and augmentation')
    .option('--repeats <n>', 'number of measurements, whose median is reported', whole(1), 5)
    .option('--json', 'print JSON')
    .option('--out <file>', 'write JSON to a file')
    .action(runSound);
  const host = new Command('host')
    .description('times the other work of a training on the CPU: planning, draws of augmentation, pictures')
    .option('--repeats <n>', 'number of measurements, whose median is reported', whole(1), 3)
    .option('--json', 'print JSON')
    .option('--out <file>', 'write JSON to a file')
    .action(runHost);
  const peers = new Command('peers')
    .description(
      'times the same work by wavelight and by other engines (install them: npm ci --prefix bench/peers)',
    )
    .addOption(deviceOption())
    .option('--only <names>', `peers among ${PEERS.join(',')}`, someOf(PEERS), [...PEERS])
    .option(
      '--shapes <names>',
      "layer (a dense block's training step), densenet161 (each of its convolutions, forward), gradients (the same convolutions' gradients), fcnn (its convolutions and their gradients), matmul (512 to 2048), matmul4096, nets (training steps of DenseNet161 and the joint net; wavelight and PyTorch only), tiny",
      someOf(SHAPES),
      ['layer', 'densenet161'],
    )
    .option('--batch <n>', 'images per batch', whole(1), 4)
    .option('--repeats <n>', 'number of rounds, whose median is reported', whole(1), 5)
    .option('--json [file]', 'print JSON, or write it to a file beside the table')
    .action(runPeers);
  return new Command('bench')
    .description('measures this device')
    .hook('preAction', async (_, command) => {
      const { out, json } = command.opts<{ readonly out?: string; readonly json?: string | true }>();
      const file = typeof json === 'string' ? json : out;
      if (file !== undefined) await checkOutput(file);
    })
    .addCommand(ceilings)
    .addCommand(benchKernelsCommand())
    .addCommand(benchTuneCommand())
    .addCommand(model)
    .addCommand(augmentation)
    .addCommand(sound)
    .addCommand(host)
    .addCommand(peers);
}

/** A parser of names separated by commas, each one of `known`. */
function someOf<T extends string>(known: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((name) => {
      const found = known.find((choice) => choice === name);
      if (found !== undefined) return found;
      throw new InvalidArgumentError(`It must be some of ${known.join(',')}.`);
    });
}

async function runCeilings({
  device: choice,
  json,
  out,
}: Pick<KernelOptions, 'device' | 'json' | 'out'>): Promise<void> {
  await using device = await openDevice(choice);
  const machine = machineOf(device, await measureCeilings(device.gpu));
  const multiprocessors = await measureMultiprocessors(device.gpu);
  const { fmaGflops, fmaF16Gflops, matrixF16Gflops, matrixF32Gflops, copyGBps, ...latency } =
    machine.ceilings;
  const rate = (gflops: number | null, needs: string): string =>
    gflops === null ? `needs ${needs}` : `${gflops.toFixed(1)} GFLOP/s`;
  const rows = [
    ['f32 multiply-add', `${fmaGflops.toFixed(1)} GFLOP/s`],
    ['f16 multiply-add', rate(fmaF16Gflops, 'shader-f16')],
    ['f16 matrices, f32 sums', rate(matrixF16Gflops, 'subgroup matrices of f16')],
    ['f32 matrices', rate(matrixF32Gflops, 'subgroup matrices of f32')],
    ['copy, read and written', `${copyGBps.toFixed(1)} GB/s`],
    ['ridge, f32', `${(fmaGflops / copyGBps).toFixed(1)} FLOP/byte`],
    ['workgroups side by side', String(multiprocessors)],
    ['one more dispatch', `${latency.dispatchMicroseconds.toFixed(1)} us`],
    ['submit, until it is done', `${latency.submitMilliseconds.toFixed(3)} ms`],
    ['readback of 4 bytes', `${latency.readbackMilliseconds.toFixed(3)} ms`],
  ];
  await give({ machine, multiprocessors }, formatTable([machine.adapter, 'at most'], rows), json, out);
}

async function runSound({ repeats, json, out }: Omit<KernelOptions, 'device' | 'batch'>): Promise<void> {
  const results = await benchSound(repeats);
  const rows = results.map(({ name, milliseconds, timesRealTime }) => [
    name,
    milliseconds.toFixed(1),
    `${timesRealTime.toFixed(0)}x`,
  ]);
  await give({ results }, formatTable(['10 s of stereo', 'ms', 'of real time'], rows), json, out);
}

interface AugmentationOptions extends Omit<KernelOptions, 'repeats'> {
  readonly preset: PresetName;
  readonly rounds: number;
}

async function runAugmentation(options: AugmentationOptions): Promise<void> {
  const { device: choice, batch, rounds, json, out } = options;
  await using device = await openDevice(choice);
  const machine = machineOf(device, await measureCeilings(device.gpu));
  const result = await benchAugmentation(device, preset(options.preset), batch, rounds);
  const { augmentedMilliseconds, plainMilliseconds, share, dispatches } = result;
  const rows = [
    ['with augmentation', augmentedMilliseconds.toFixed(1), String(dispatches.augmented)],
    ['without', plainMilliseconds.toFixed(1), String(dispatches.plain)],
    ['augmentation adds', `${(100 * share).toFixed(1)} %`, String(dispatches.augmented - dispatches.plain)],
  ];
  const head = [`joint step of ${result.experiment}, batch ${batch}`, 'ms', 'dispatches'];
  await give({ machine, ...result }, formatTable(head, rows), json, out);
}

async function runHost({ repeats, json, out }: Omit<KernelOptions, 'device' | 'batch'>): Promise<void> {
  const results = await benchHost(repeats);
  const rows = results.map(({ name, milliseconds }) => [name, milliseconds.toFixed(2)]);
  await give({ results }, formatTable(['work on the host', 'ms'], rows), json, out);
}

async function runModel(options: ModelOptions): Promise<void> {
  const { device: choice, model, batch, steps, precision, memory, fusion, json, out } = options;
  if (memory) return printPlan(options);
  if (options.limits !== undefined || options.text === true)
    throw new UsageError('--limits and --text print a plan, which runs nothing: add --memory');
  await using device = await openDevice(choice, fusion === undefined ? {} : { fusion });
  checkPrecision(device.runtime.target, precision);
  const machine = machineOf(device, await measureCeilings(device.gpu));
  const result = await benchModel(device, model, batch, steps, machine.ceilings, precision);
  const plan = result.fusion ? result.plan : result.unfused;
  const rows = [
    ['parameters', `${(result.parameters / 1e6).toFixed(1)} M`],
    ['first step, compiling included', `${result.firstStepSeconds.toFixed(1)} s`],
    ['step, median', `${result.stepMilliseconds.toFixed(1)} ms`],
    ['rate', `${result.gflops.toFixed(1)} of ${machine.ceilings.fmaGflops.toFixed(1)} GFLOP/s`],
    ['floor by arithmetic', `${(plan.flops / machine.ceilings.fmaGflops / 1e6).toFixed(1)} ms`],
    ['floor by bytes', `${(plan.bytesMoved / machine.ceilings.copyGBps / 1e6).toFixed(1)} ms`],
    ['submits a step', String(result.submits)],
    [
      'encoding on the host',
      `${result.encodeMilliseconds.toFixed(2)} ms, ${result.dispatches.length} dispatches`,
    ],
    ...(result.busy === null ? [] : [['device busy, by timestamps', `${(100 * result.busy).toFixed(1)} %`]]),
    ['memory held', formatBytes(result.bytesHeld)],
    ['memory at its peak', formatBytes(result.bytesPeak)],
    ['loss', result.loss.toFixed(4)],
  ];
  const plans = formatTable(['plan of a step', 'fused', 'each op alone'], planRows(result));
  const kernels = formatTable(
    ['slowest kernels', 'count', 'ms', 'floor', 'GFLOP/s', 'GB/s'],
    result.kernels
      .slice(0, 12)
      .map(({ label, count, milliseconds, floorMilliseconds, gigaflopsPerSecond, gigabytesPerSecond }) => [
        label,
        String(count),
        milliseconds.toFixed(2),
        timesFloor(milliseconds, floorMilliseconds),
        gigaflopsPerSecond.toFixed(1),
        gigabytesPerSecond.toFixed(1),
      ]),
  );
  const costliest = formatTable(
    ['costliest dispatches', 'ms', 'floor', 'GFLOP', 'moved'],
    result.dispatches
      .toSorted((a, b) => b.milliseconds - a.milliseconds)
      .slice(0, 10)
      .map(({ label, shape, milliseconds, floorMilliseconds, flops, bytes }) => [
        shape === undefined ? label : `${label}, ${shape}`,
        milliseconds.toFixed(3),
        timesFloor(milliseconds, floorMilliseconds),
        (flops / 1e9).toFixed(2),
        formatBytes(bytes),
      ]),
  );
  await give(
    { machine, ...result },
    `${formatTable([`${model}, batch ${batch}, ${precision}`, ''], rows)}\n\n${plans}\n\n${kernels}\n\n${costliest}`,
    json,
    out,
  );
}

/** Plans a step for the adapter of this machine, or with `--limits` for another, which need not exist. */
async function printPlan({
  device: choice,
  model,
  batch,
  precision,
  limits,
  text,
  json,
  out,
}: ModelOptions): Promise<void> {
  const target = limits === undefined ? await targetOf(choice) : { name: limits, geometry: PROFILES[limits] };
  checkPrecision(target, precision);
  let lines = '';
  const plan = planModel(target, model, batch, {
    precision,
    onPlan: (made) => {
      if (text === true) lines = `${formatPlan(made)}\n\n`;
    },
  });
  const head = [`${model}, batch ${batch}, ${precision}, for ${target.name}`, 'fused', 'each op alone'];
  await give({ adapter: target.name, ...plan }, lines + formatTable(head, planRows(plan)), json, out);
}

async function targetOf(choice: AdapterChoice): Promise<Target> {
  await using device = await openDevice(choice);
  return device.runtime.target;
}

/** A time as a multiple of its floor. */
const timesFloor = (milliseconds: number, floor: number): string => `${(milliseconds / floor).toFixed(1)}x`;

function planRows({ plan, unfused }: ModelPlan): string[][] {
  const row = (name: string, value: (statistics: ModelPlan['plan']) => string): string[] => [
    name,
    value(plan),
    value(unfused),
  ];
  return [
    row('dispatches', ({ dispatches }) => String(dispatches)),
    row('kernels to compile', ({ pipelines }) => String(pipelines)),
    row('arithmetic', ({ flops }) => `${(flops / 1e9).toFixed(2)} GFLOP`),
    row('bytes moved', ({ bytesMoved }) => formatBytes(bytesMoved)),
    row('each buffer in once and out once', ({ bytesAtLeast }) => formatBytes(bytesAtLeast)),
    row('transient memory', ({ arenaBytes }) => formatBytes(arenaBytes)),
    row('alive at once', ({ peakLiveBytes }) => formatBytes(peakLiveBytes)),
    row('parameters, gradients, moments, inputs', ({ persistentBytes }) => formatBytes(persistentBytes)),
  ];
}

async function runPeers({ json, ...options }: PeerOptions): Promise<void> {
  const report = await benchPeers({ ...options, say });
  const file = typeof json === 'string' ? json : undefined;
  await give(report, formatPeers(report), json === true, file);
}
