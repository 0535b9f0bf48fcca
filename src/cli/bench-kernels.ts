// `wavelight bench kernels`: every kernel of the nets' training steps beside what the device can do at most.

import { Command } from 'commander';
import { benchKernels, type KernelResult } from '../../bench/kernels.ts';
import type { ModelName } from '../../bench/model.ts';
import { formatTable, machineOf } from '../../bench/report.ts';
import { renderKernelReport } from '../avsc/node/report/kernels.ts';
import { measureCeilings } from '../gpu/ceilings.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { checkOutput, writeFileAtomic } from '../node/files.ts';
import { modelNames } from './bench-tune.ts';
import { openDevice } from './device.ts';
import { give } from './give.ts';
import { checkPrecision, deviceOption, precisionOption, whole } from './options.ts';
import type { Precision } from '../tensor/graph/recording.ts';
import { say } from './say.ts';

interface KernelOptions {
  readonly device: AdapterChoice;
  readonly model: readonly ModelName[];
  readonly batch: number;
  readonly repeats: number;
  readonly precision: Precision;
  readonly report?: string;
  readonly json?: boolean;
  readonly out?: string;
}

/** Rows of the table; JSON and the report have all kernels. */
const ROWS = 40;

export function benchKernelsCommand(): Command {
  return new Command('kernels')
    .description("times each kernel at each shape of the nets' training steps, forward and backward")
    .addOption(deviceOption())
    .option('--model <names>', 'nets, separated by commas; joint holds DenseNet161 and FCNN', modelNames, [
      'joint',
      'small',
    ])
    .option('--batch <n>', 'one-second samples, or pictures for densenet161, per batch', whole(1), 2)
    .option('--repeats <n>', 'number of measurements, whose median is reported', whole(1), 3)
    .addOption(precisionOption())
    .option('--report <file>', 'write the roofline and all kernels to an HTML file')
    .option('--json', 'print JSON')
    .option('--out <file>', 'write JSON to a file')
    .action(runKernels);
}

async function runKernels(options: KernelOptions): Promise<void> {
  const { device: choice, model: models, batch, repeats, precision, report, json, out } = options;
  if (report !== undefined) await checkOutput(report);
  await using device = await openDevice(choice);
  checkPrecision(device.runtime.target, precision);
  const machine = machineOf(device, await measureCeilings(device.gpu));
  const { ceilings, adapter } = machine;
  const nets = [];
  for (const net of models) {
    say(`timing the kernels of ${net}`);
    nets.push(await benchKernels(device, net, { batch, repeats, precision, ceilings }));
  }
  if (report !== undefined) {
    const { tuned } = device.gpu;
    const finished = new Date().toISOString();
    const head = { device: adapter, finished, tuned: tuned.products.size, batch, precision };
    await writeFileAtomic(report, await renderKernelReport({ ...head, ceilings, nets }));
  }
  const tables = nets.map(({ net, stepMilliseconds, kernels }) => {
    const head = [
      `${net}, batch ${batch}`,
      'count',
      'ms each',
      'of step',
      'GFLOP/s',
      'GB/s',
      'of ceiling',
      'bound by',
    ];
    const rows = kernels.slice(0, ROWS).map((kernel) => rowOf(kernel, stepMilliseconds));
    const more = kernels.length > ROWS ? `\nand ${kernels.length - ROWS} more` : '';
    return `${formatTable(head, rows)}${more}\nstep: ${stepMilliseconds.toFixed(1)} ms`;
  });
  const top = `ceilings: ${ceilings.fmaGflops.toFixed(1)} GFLOP/s FMA, ${ceilings.copyGBps.toFixed(1)} GB/s copy`;
  await give({ machine, batch, precision, nets }, [top, ...tables].join('\n\n'), json, out);
}

function rowOf(result: KernelResult, stepMilliseconds: number): string[] {
  const { kernel, shape, count, milliseconds, flopsPerSecond, bytesPerSecond, share, bound } = result;
  return [
    shape === '' ? kernel : `${kernel}, ${shape}`,
    String(count),
    milliseconds.toFixed(3),
    `${((100 * count * milliseconds) / stepMilliseconds).toFixed(1)} %`,
    (flopsPerSecond / 1e9).toFixed(1),
    (bytesPerSecond / 1e9).toFixed(1),
    `${(100 * share).toFixed(0)} %`,
    bound === 'compute' ? 'arithmetic' : 'memory',
  ];
}
