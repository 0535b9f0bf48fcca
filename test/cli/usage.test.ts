import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeWav } from '../../src/avsc/audio/wav.ts';
import { wavelight } from './wavelight.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** One line on stderr and nothing on stdout. */
async function refusal(...args: string[]): Promise<{ code: number | null; line: string }> {
  const { code, stdout, stderr } = await wavelight(args, folder);
  expect(stdout).toBe('');
  const lines = stderr.trimEnd().split('\n');
  expect(lines, stderr).toHaveLength(1);
  return { code, line: lines[0] ?? '' };
}

describe('a command that makes no sense ends with 2 and one line', () => {
  it.each([
    [[], 'name a command: train, reproduce, prepare, eval'],
    [['fly'], "unknown command 'fly'"],
    [['features', '--foo'], "unknown option '--foo'"],
    [['features'], "missing required argument 'file'"],
    [['features', 'a.wav', '--out', 'a.txt'], '--out a.txt must end in .npy or .safetensors'],
    [['prepare'], "required option '--data <dir>' not specified"],
    [['train', '--epochs', '0'], 'It must be a whole number from 1'],
    [['train', '--lr', 'fast'], 'It must be a number above 0'],
    [['train', '--preset', 'huge'], 'Allowed choices are paper, small'],
    [['train', '--tune', '--resume'], '--tune is for a new run'],
    [['bench', 'tune', '--model', 'resnet'], 'It must be some of fcnn,densenet161,joint,small'],
    [['train', '--device', 'tpu'], 'Allowed choices are auto, gpu, software'],
  ])('%j', async (args, message) => {
    const { code, line } = await refusal(...args);
    expect(line).toContain(message);
    expect(line).toMatch(/^wavelight: .*\(see wavelight .*--help\)$/);
    expect(code).toBe(2);
  });
});

describe('work that fails ends with 1 and one line', () => {
  it.each([
    [['features', 'none.wav'], 'none.wav does not exist'],
    [['predict', 'none.mp4'], 'there is no finished run under runs/: train one first'],
    [['predict', '--run', 'nowhere', 'none.mp4'], "nowhere is not a run's folder"],
    [['eval', 'nowhere'], "nowhere is not a run's folder"],
    [['train', '--resume'], 'there is no unfinished run under runs/'],
    [['prepare', '--data', 'nowhere', '--cache', 'cache'], "the data set's folder nowhere does not exist"],
  ])('%j', async (args, message) => {
    const { code, line } = await refusal(...args);
    expect(line).toContain(message);
    expect(code).toBe(1);
  });
});

describe('help', () => {
  it('lists all commands and ends well', async () => {
    const { code, stdout } = await wavelight(['--help'], folder);
    expect(code).toBe(0);
    const weights = ['fetch-weights', 'inspect', 'import', 'classify', 'export'];
    for (const name of ['train', 'prepare', 'eval', 'predict', 'features', 'augment', 'doctor', ...weights])
      expect(stdout).toContain(`  ${name} `);
  });
});

describe('what a command needs is marked in its help', () => {
  it.each([
    ['prepare', ['--data <dir>']],
    ['reproduce', ['table', '--data <dir>']],
    ['predict', ['paths']],
    ['export', ['--format <name>']],
    ['inspect', ['file']],
    ['import', ['file', '--out <path>']],
    ['classify', ['images', '--weights <path>']],
    ['fetch-weights', ['name']],
    ['features', ['file']],
    ['augment', []],
    ['train', []],
  ])('%s %j', async (command, needed) => {
    const { code, stdout } = await wavelight([command, '--help'], folder);
    expect(code).toBe(0);
    // Each entry begins in the third column, and may go on below.
    const entries = stdout.split(/\n {2}(?=\S)/).map((entry) => entry.replace(/\s+/g, ' '));
    const marked = entries.filter((entry) => / \(required\)( |$)/.test(entry));
    expect(marked.map((entry) => needed.find((name) => entry.startsWith(`${name} `)))).toEqual(needed);
  });

  it('bench says that it needs a second word', async () => {
    const { code, line } = await refusal('bench');
    expect([code, line]).toEqual([2, 'wavelight: name what bench is to do (see wavelight bench --help)']);
  });
});

it('--version prints the version of the package', async () => {
  const { code, stdout } = await wavelight(['--version'], folder);
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
  expect([code, stdout]).toEqual([0, `${version}\n`]);
});

describe('features', () => {
  it('summarises a file and writes its values for numpy', async () => {
    const tone = Float32Array.from(
      { length: 96_000 },
      (_, i) => 0.5 * Math.sin((2 * Math.PI * 1000 * i) / 48_000),
    );
    await writeFile(join(folder, 'tone.wav'), encodeWav([tone, tone], 48_000, 24));
    const { code, stdout } = await wavelight(['features', 'tone.wav', '--out', 'tone.npy'], folder);
    expect(code).toBe(0);
    const { shape, channels } = JSON.parse(stdout) as {
      shape: number[];
      channels: { min: number; max: number }[];
    };
    expect(shape).toEqual([2, 6, 128, 39]);
    expect(channels).toHaveLength(6);
    // Scaled to [0, 1] before the frames at the edges are cropped.
    for (const { min, max } of channels.slice(0, 2))
      expect([min >= 0, max <= 1, max > min]).toEqual([true, true, true]);
    expect((await readFile(join(folder, 'tone.npy'))).length).toBe(128 + 2 * 6 * 128 * 39 * 4);
  });
});

describe('bench sound', () => {
  it('prints a time for each work and writes the same as JSON', async () => {
    const args = ['bench', 'sound', '--repeats', '1', '--out', 'sound.json'];
    const { code, stdout } = await wavelight(args, folder);
    expect(code).toBe(0);
    const { results } = JSON.parse(await readFile(join(folder, 'sound.json'), 'utf8')) as {
      results: { name: string; milliseconds: number; timesRealTime: number }[];
    };
    expect(results).toHaveLength(6);
    for (const { name, milliseconds, timesRealTime } of results) {
      expect(stdout).toContain(name);
      expect(milliseconds * timesRealTime).toBeCloseTo(10_000, 3);
    }
  });
});

describe('bench ceilings', () => {
  it('prints each ceiling and writes the same as JSON', async () => {
    const device = process.env['WAVELIGHT_TEST_ADAPTER'] ?? 'software';
    const args = ['bench', 'ceilings', '--device', device, '--out', 'ceilings.json'];
    const { code, stdout } = await wavelight(args, folder);
    expect(code).toBe(0);
    const { machine } = JSON.parse(await readFile(join(folder, 'ceilings.json'), 'utf8')) as {
      machine: { adapter: string; ceilings: Record<string, number | null> };
    };
    const { fmaF16Gflops, matrixF16Gflops, matrixF32Gflops, ...others } = machine.ceilings;
    console.log(stdout);
    expect(Object.values(others).every((value) => value !== null && value > 0)).toBe(true);
    const rate = (value: number | null | undefined): string => (value ?? NaN).toFixed(1);
    expect(stdout.startsWith(machine.adapter)).toBe(true);
    expect(stdout).toMatch(new RegExp(`^f32 multiply-add +${rate(others['fmaGflops'])} GFLOP/s$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^copy, read and written +${rate(others['copyGBps'])} GB/s$`, 'm'));
    const f16 = fmaF16Gflops === null ? 'needs shader-f16' : `${rate(fmaF16Gflops)} GFLOP/s`;
    expect(stdout).toMatch(new RegExp(`^f16 multiply-add +${f16}$`, 'm'));
    const matrices = (of: string, value: number | null | undefined): string =>
      value === null ? `needs subgroup matrices of ${of}` : `${rate(value)} GFLOP/s`;
    const matricesF16 = matrices('f16', matrixF16Gflops);
    expect(stdout).toMatch(new RegExp(`^f16 matrices, f32 sums +${matricesF16}$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^f32 matrices +${matrices('f32', matrixF32Gflops)}$`, 'm'));
  });
});

describe('bench model --memory', () => {
  it('plans for an adapter that is not there, and --limits without it is refused', async () => {
    const args = ['bench', 'model', '--model', 'small', '--limits', 'h100'];
    const refused = await wavelight(args, folder);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('add --memory');
    const { code, stdout } = await wavelight([...args, '--memory', '--json'], folder);
    expect(code).toBe(0);
    const { adapter, plan } = JSON.parse(stdout) as { adapter: string; plan: { dispatches: number } };
    expect(adapter).toBe('h100');
    expect(plan.dispatches).toBeGreaterThan(0);
  });
});
