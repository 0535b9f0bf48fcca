import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeWav } from '../src/avsc/index.ts';

const root = join(import.meta.dirname, '..');
const modules = join(root, 'node_modules');
const run = promisify(execFile);

/** A project that has installed the package: what `npm pack` would put in, and links to what it depends on. */
const project = mkdtempSync(join(tmpdir(), 'wavelight-user-'));
const installed = join(project, 'node_modules', 'wavelight');

interface Manifest {
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const inProject = (command: string, ...args: string[]) => run(command, args, { cwd: project });

beforeAll(async () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  // A browser embedder installs without the optional ones and gets this package alone.
  expect(manifest.dependencies).toBeUndefined();
  mkdirSync(installed, { recursive: true });
  for (const path of ['package.json', 'bin', 'experiments'])
    cpSync(join(root, path), join(installed, path), { recursive: true });
  cpSync(join(root, 'examples'), join(project, 'examples'), { recursive: true });
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
  for (const name of Object.keys(manifest.optionalDependencies)) {
    const link = join(project, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(modules, name), link);
  }
  const bin = (name: string): string => join(modules, '.bin', name);
  await run(bin('tsdown'), ['--out-dir', join(installed, 'dist'), '--log-level', 'error'], { cwd: root });
  await run(bin('tsc'), ['-p', 'tsconfig.build.json', '--outDir', join(installed, 'dist', 'types')], {
    cwd: root,
  });
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

describe('the package, built and installed', () => {
  it('gives one engine by both its entries', async () => {
    const program = `
      import { Device, Tensor, nn } from 'wavelight';
      import { AudioNet, createModel, findStage, preset } from 'wavelight/avsc';
      const device = await Device.create({ adapter: 'software' });
      const x = device.tensor([1, -2, 3], [1, 3]);
      const { net } = createModel(preset('small'), findStage(preset('small'), 'audio'));
      console.log(JSON.stringify({
        sum: await x.relu().sum().item(),
        tensor: x instanceof Tensor,
        modules: net instanceof nn.Module && net instanceof AudioNet,
      }));
      await device.destroy();`;
    const { stdout } = await inProject(process.execPath, '--input-type=module', '-e', program);
    expect(JSON.parse(stdout)).toEqual({ sum: 4, tensor: true, modules: true });
  });

  it('has types, with the methods of tensors, for both ways of resolving them', async () => {
    writeFileSync(
      join(project, 'user.mts'),
      `import { Device, type Tensor } from 'wavelight';
       import { createModel, findStage, preset } from 'wavelight/avsc';
       const device: Device = await Device.create({ adapter: 'auto' });
       const x: Tensor = device.tensor([1, 2]).relu().sum();
       createModel(preset('small'), findStage(preset('small'), 'joint')).net.to(device);
       // @ts-expect-error there is no such method
       x.nothing();`,
    );
    for (const [module, moduleResolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ] as const) {
      const options = {
        target: 'es2023',
        lib: ['es2023', 'dom', 'esnext.disposable'],
        types: [],
        strict: true,
        noEmit: true,
      };
      const config = { compilerOptions: { ...options, module, moduleResolution }, files: ['user.mts'] };
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
      // tsc writes its errors to stdout, which a rejection would not show.
      const { stdout } = await inProject(join(modules, '.bin', 'tsc'), '-p', '.').catch((error: unknown) => {
        return error as { readonly stdout: string };
      });
      expect(stdout).toBe('');
    }
  });

  it('runs its command line, threads included', async () => {
    const samples = Float32Array.from({ length: 2 * 48_000 }, (_, i) => Math.sin(i / 20) / 2);
    writeFileSync(join(project, 'tone.wav'), encodeWav([samples, samples], 48_000, 16));
    const cli = join(installed, 'bin', 'wavelight.js');
    const { stdout } = await inProject(process.execPath, cli, 'features', 'tone.wav');
    expect(JSON.parse(stdout)).toMatchObject({ shape: [2, 6, 128, 39] });
  });

  it('trains from its command line', async () => {
    const cli = join(installed, 'bin', 'wavelight.js');
    const options = ['--model', 'small', '--device', 'software', '--steps', '1', '--json'];
    const { stdout } = await inProject(process.execPath, cli, 'bench', 'model', ...options);
    expect((JSON.parse(stdout) as { loss: number }).loss).toBeGreaterThan(0);
  });

  it('plans an experiment, and finds the tables', async () => {
    const cli = join(installed, 'bin', 'wavelight.js');
    const planned = await inProject(
      process.execPath,
      cli,
      'train',
      '--config',
      'joint',
      '--dry-run',
      '--json',
    );
    const { stages } = JSON.parse(planned.stdout) as {
      stages: { stage: string; plan: { dispatches: number } }[];
    };
    expect(stages.map(({ stage }) => stage)).toEqual(['audio', 'joint']);
    for (const { plan } of stages) expect(plan.dispatches).toBeGreaterThan(100);
    const refused = await inProject(process.execPath, cli, 'reproduce', 'table1', '--data', 'none').catch(
      (error: unknown) => error as { stderr: string },
    );
    expect('stderr' in refused ? refused.stderr : '').toContain('none');
  });

  it('runs the examples', async () => {
    const example = async (name: string, ...args: string[]): Promise<string> => {
      const { stdout } = await inProject(process.execPath, join('examples', name), ...args);
      return stdout;
    };
    expect(await example('train.ts')).toMatch(/step 40: loss 0\.\d+\nsaved stripes\.safetensors/);
    const right = /(\d+) of 60 right/.exec(await example('predict.ts'))?.[1];
    console.log(`examples: ${right ?? 'none'} of 60 predictions right`);
    expect(Number(right)).toBeGreaterThan(40);
    expect(await example('own-device.ts')).toMatch(/engine: 30 40 110 160\nstill mine: 0 10 20 30/);
    expect(await example('benchmark.ts', '128')).toMatch(/128\^3 on .+ ms, \d+\.\d GFLOP\/s/);
  });
});
