import { join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { withRunLock } from '../avsc/node/runs/lock.ts';
import { reproduceTable, type TableResults } from '../avsc/node/tables/reproduce.ts';
import { loadTable, SCALES, TABLES, type Scale, type TableName } from '../avsc/node/tables/table.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { openDevice } from './device.ts';
import { withInterrupt } from './interrupt.ts';
import { cacheOption, dataOption, deviceOption, whole } from './options.ts';
import { print, printAndThrow } from './output.ts';
import { clipCache } from './prepare.ts';
import { say } from './say.ts';
import { formatTable } from './table.ts';
import { showTraining } from './train-progress.ts';

interface ReproduceOptions {
  readonly data: string;
  readonly rows?: readonly string[];
  readonly seeds?: readonly number[];
  readonly scale: Scale;
  readonly out?: string;
  readonly weightsFolder: string;
  readonly cache?: string;
  readonly device: AdapterChoice;
  readonly json?: true;
}

/** `reproduce TABLE`: the rows of a table of the paper, one after the other. */
export function reproduceCommand(): Command {
  return new Command('reproduce')
    .description("a table of the paper: runs its rows and writes the paper's numbers beside ours")
    .addArgument(new Argument('<table>', 'which one').choices([...TABLES]))
    .addOption(dataOption().makeOptionMandatory())
    .option('--rows <ids>', 'rows to run, separated by commas (default: all that are not done)', (ids) =>
      ids.split(',').map((id) => id.trim()),
    )
    .option(
      '--seeds <list>',
      "seeds by which each row is run, separated by commas (default: the experiment's own)",
      seeds,
    )
    .addOption(
      new Option(
        '--scale <name>',
        'full: as the paper; smoke: small pictures and few steps, to see that all of it runs',
      )
        .choices([...SCALES])
        .default('full'),
    )
    .option('--out <dir>', 'folder of runs, results.json and report.html (default: runs/TABLE-SCALE)')
    .option('--weights-folder <dir>', 'folder of published weights', 'weights')
    .addOption(deviceOption())
    .addOption(cacheOption())
    .option('--json', 'print results.json')
    .addHelpText(
      'after',
      '\nA row that is done is not run again, one that fails does not stop the others, and a stopped row goes on where it was.',
    )
    .action(async (table: TableName, options: ReproduceOptions) => {
      const out = options.out ?? join('runs', `${table}-${options.scale}`);
      // Two would write over each other's results.json.
      await withInterrupt((signal) => withRunLock(out, () => reproduce(table, options, out, signal)));
    });
}

/** Parses a list of seeds. */
function seeds(text: string): number[] {
  return text.split(',').map((seed) => whole(0, 2 ** 32 - 1)(seed.trim()));
}

async function reproduce(
  name: TableName,
  options: ReproduceOptions,
  out: string,
  signal: AbortSignal,
): Promise<void> {
  const { scale, data, rows, weightsFolder } = options;
  const table = await loadTable(name);
  const cache = await clipCache(options.cache);
  const device = await openDevice(options.device);
  const display = showTraining();
  try {
    const results = await reproduceTable(table, {
      data,
      out,
      scale,
      rows: rows ?? null,
      seeds: options.seeds ?? null,
      cache,
      weightsFolder,
      device,
      signal,
      events: display.events,
      onRow: ({ id, label }, i, total) => say(`row ${i + 1} of ${total}, ${id}: ${label}`),
      onRowEnd: ({ status, note }) => {
        display.end();
        if (status === 'failed') say(`failed: ${note}`);
      },
    });
    const text = options.json ? JSON.stringify(results, null, 2) : formatResults(results, out);
    const failed = results.rows.filter(({ status }) => status === 'failed').length;
    if (failed > 0) await printAndThrow(text, new Error(`${failed} of ${results.rows.length} rows failed`));
    await print(text);
  } finally {
    display.end();
    await device.destroy();
  }
}

function formatResults({ rows, scale }: TableResults, out: string): string {
  const titles = ['row', 'paper %', 'ours %', 'log loss', 'seconds', 'status'];
  const cells = rows.map(({ label, paper, accuracy, logLoss, seconds, status }) => [
    label,
    paper?.toFixed(1) ?? '-',
    accuracy === null ? '-' : (100 * accuracy).toFixed(1),
    logLoss?.toFixed(3) ?? '-',
    seconds?.toFixed(0) ?? '-',
    status,
  ]);
  return [
    formatTable([titles, ...cells], [1, 2, 3, 4]),
    ...(scale === 'smoke' ? ['scale smoke: the numbers show that the rows run, and nothing else'] : []),
    `report: ${join(out, 'report.html')}`,
  ].join('\n');
}
