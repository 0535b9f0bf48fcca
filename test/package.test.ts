import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeWav } from '../src/avsc/index.ts';
import * as engine from '../src/index.ts';
import { findNodes, manifest, Project, weigh } from './package/project.ts';
import { FULL } from './support/scale.ts';

const project = new Project();
const unreachable = project.installTools();
const nodes = findNodes();
if (unreachable !== null) console.error(`package.test.ts is skipped: ${unreachable}`);

const peers = Object.keys(manifest.peerDependencies).filter((name) => name !== '@webgpu/types');

/** Small whole numbers, whose sums are exact on every adapter. */
const CONVOLUTION = `
  import { Device, conv2d } from 'wavelight';
  const device = await Device.create();
  const x = device.tensor(Float32Array.from({ length: 32 }, (_, i) => (i % 7) - 3), [1, 2, 4, 4]);
  const weight = device.tensor(Float32Array.from({ length: 54 }, (_, i) => (i % 5) - 2), [3, 2, 3, 3]);
  const y = conv2d(x, weight, null, { padding: 1 });
  console.error(device.description.name);
  console.log(JSON.stringify([...(await y.data())]));
  await device.destroy();`;

/** Dispatches of a small net with and without fusion, which batch norm brings along. */
const FUSION = `
  import { Device, batchNorm2d, conv2d } from 'wavelight';
  const counts = [];
  for (const fusion of [true, false]) {
    const device = await Device.create({ fusion });
    const x = device.tensor(new Float32Array(128).fill(1), [2, 4, 4, 4]);
    const weight = device.tensor(new Float32Array(16).fill(1), [4, 4, 1, 1]);
    const step = device.compile((image) => {
      const norm = batchNorm2d(conv2d(image, weight), { training: true });
      return conv2d(norm.relu(), weight);
    });
    await step(x);
    counts.push(step.statistics().dispatches);
    await device.destroy();
  }
  console.log(JSON.stringify(counts));`;

/** The same numbers in f64. */
function convolution(): number[] {
  const x = (c: number, i: number, j: number): number =>
    i < 0 || j < 0 || i > 3 || j > 3 ? 0 : ((c * 16 + i * 4 + j) % 7) - 3;
  return Array.from({ length: 48 }, (_, at) => {
    const [o, i, j] = [Math.floor(at / 16), Math.floor(at / 4) % 4, at % 4];
    let sum = 0;
    for (let k = 0; k < 18; k++) {
      const [c, di, dj] = [Math.floor(k / 9), (Math.floor(k / 3) % 3) - 1, (k % 3) - 1];
      sum += x(c, i + di, j + dj) * (((o * 18 + k) % 5) - 2);
    }
    return sum;
  });
}

const numbersIn = (stdout: string): unknown => JSON.parse(/\[.*\]/.exec(stdout)?.[0] ?? 'null');

describe.skipIf(unreachable !== null)(
  `the package, packed and installed${unreachable === null ? '' : `: skipped, ${unreachable}`}`,
  () => {
    let report = '';
    beforeAll(async () => {
      report = await project.installPackage();
    });
    afterAll(() => rmSync(project.home, { recursive: true, force: true }));

    const cli = (): string => join(project.installed, 'bin', 'wavelight.js');
    const node = process.execPath;

    // These come first: the tests below link other packages into the project.

    it('comes alone and is light', () => {
      expect(report).toContain('added 1 package');
      expect(manifest.dependencies).toBeUndefined();
      expect(manifest.optionalDependencies).toBeUndefined();
      for (const name of Object.keys(manifest.peerDependencies))
        expect(manifest.peerDependenciesMeta[name], name).toEqual({ optional: true });
      const { disk, content } = weigh(join(project.app, 'node_modules'));
      const tarball = readFileSync(project.tarball).length;
      console.log(`installed: ${disk} bytes on disk, ${content} in files; tarball ${tarball}`);
      expect(disk).toBeLessThan(3.3e6);
    });

    it('names the packages that a command or a device lacks', async () => {
      const help = await project.run(node, cli(), '--help');
      expect(help.stdout).toContain('train, reproduce');
      expect(help.stdout).toContain('npm install commander cli-progress sharp\n');
      const doctor = await project.run(node, cli(), 'doctor');
      expect(doctor.stdout).toMatch(/packages +missing webgpu, .*: npm install webgpu /);
      const train = await project.fail(node, cli(), 'train');
      expect(train.stderr).toBe(
        'wavelight: wavelight train needs the packages commander, cli-progress, sharp, mediabunny, @mediabunny/server, ' +
          'node-av, @observablehq/plot, d3, webgpu, koffi and @sparticuz/chromium, which are not installed: npm install ' +
          'commander cli-progress sharp mediabunny @mediabunny/server node-av @observablehq/plot d3 webgpu koffi ' +
          '@sparticuz/chromium\n',
      );
      project.write('device.mjs', `import { Device } from 'wavelight'; await Device.create();`);
      const device = await project.fail(node, 'device.mjs');
      expect(device.stderr).toContain(
        'Error: a device needs the packages webgpu, koffi and @sparticuz/chromium, which are not installed: ' +
          'npm install webgpu koffi @sparticuz/chromium\n',
      );
    });

    it('is what publint and arethetypeswrong want', async () => {
      const data = readFileSync(project.tarball);
      const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(data).buffer } });
      expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
      const checked = await checkPackage(createPackageFromTarballData(data));
      const problems = checked.types === false ? ['no types'] : checked.problems;
      // CommonJS cannot load it, and does not exist for its users: Node 20.19 and later load ES modules by require().
      const atWork = problems.filter(
        (problem) =>
          typeof problem === 'string' ||
          !('resolutionKind' in problem && /^(node10|node16-cjs)$/.test(problem.resolutionKind)),
      );
      expect(atWork).toEqual([]);
    });

    it('exports what the source does, and nothing else', async () => {
      project.write(
        'exports.mjs',
        `console.log(JSON.stringify(Object.keys(await import(process.argv[2]))));`,
      );
      const namesOf = async (entry: string, ...flags: string[]): Promise<unknown> => {
        const { stdout } = await project.run(node, ...flags, 'exports.mjs', entry);
        return JSON.parse(stdout);
      };
      const names = Object.keys(engine).sort();
      expect(await namesOf('wavelight', '--conditions=browser')).toEqual(names);
      expect(await namesOf('wavelight')).toEqual([...names, 'openFileSource', 'openNodeGpu'].sort());
      expect(await namesOf('wavelight/inspect', '--conditions=browser')).toEqual([
        'ceilings',
        'explain',
        'inspect',
        'roofline',
        'time',
      ]);
      expect(await namesOf('wavelight/node')).toEqual(['NodeDevice', 'openFileSource', 'openNodeGpu']);
    });

    it('says what pictures need, and has it', async () => {
      project.write(
        'pixels.mjs',
        `import { Device } from 'wavelight';
         const said = () => {
           try {
             return Device.prototype.fromPixels.call(null, []);
           } catch (error) {
             return error.message;
           }
         };
         const before = said();
         await import('wavelight/pixels');
         console.log(JSON.stringify([before, said()]));`,
      );
      for (const flags of [['--conditions=browser'], []]) {
        const { stdout } = await project.run(node, ...flags, 'pixels.mjs');
        const [before, after] = JSON.parse(stdout) as readonly string[];
        // In Node it is there.
        if (flags.length > 0) expect(before).toMatch(/^device\.fromPixels .*: import 'wavelight\/pixels'$/);
        else expect(before).not.toContain('wavelight/pixels');
        expect(after).not.toContain('wavelight/pixels');
      }
    });

    describe('types', () => {
      beforeAll(() => {
        project.link(['@webgpu/types', '@types/node', 'undici-types'], 'tools');
        project.write(
          'user.mts',
          `import { conv2d, Device, nn, type Tensor } from 'wavelight';
           import { createModel, findStage, preset } from 'wavelight/avsc';
           import { inspect, type Inspection } from 'wavelight/inspect';
           import { openFileSource, openNodeGpu } from 'wavelight/node';
           const device: Device = await Device.create({ adapter: 'auto' });
           const x: Tensor = device.tensor([1, 2]).relu().sum();
           createModel(preset('small'), findStage(preset('small'), 'joint')).net.to(device);
           const layer: nn.Linear = new nn.Linear(1, 2);
           const y: number = await conv2d(x, layer.forward(x)).max().item();
           const step = device.compile((a) => a.relu());
           const seen: Inspection = inspect(step, [x]);
           const source = await openFileSource('file');
           await openNodeGpu({ adapter: 'auto', profile: 'checked' });
           // @ts-expect-error there is no such method
           x.nothing();
           // @ts-expect-error there is no such option
           await Device.create({ adaptor: 'auto' });
           console.log(y, source.size, seen.dispatches.length);`,
        );
      });

      // WebGPU's own types are in TypeScript 6's dom, and come from @webgpu/types before.
      for (const [version, webgpu] of [
        ...(FULL ? [['5.9', ['@webgpu/types']] as const] : []),
        ['6', []],
      ] as const) {
        it(`hold for TypeScript ${version}, every way to resolve them, without skipLibCheck`, async () => {
          for (const [module, moduleResolution, node, exactOptionalPropertyTypes] of [
            ['nodenext', 'nodenext', ['node'], version === '6'],
            ['esnext', 'bundler', [], version !== '6'],
          ] as const) {
            const compilerOptions = {
              target: 'es2022',
              lib: ['es2022', 'dom'],
              types: [...node, ...webgpu],
              strict: true,
              noEmit: true,
              skipLibCheck: false,
              exactOptionalPropertyTypes,
              module,
              moduleResolution,
            };
            project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['user.mts'] }));
            const tsc = project.toolFile(`typescript-${version}`, 'lib', 'tsc.js');
            // tsc writes its errors to stdout, which a rejection would not show.
            const { stdout } = await project
              .run(process.execPath, tsc, '-p', '.')
              .catch((error: unknown) => error as { readonly stdout: string });
            expect(stdout, JSON.stringify(compilerOptions)).toBe('');
          }
        });
      }
    });

    describe('bundles', () => {
      const script = join(import.meta.dirname, 'package', 'bundle.mjs');

      for (const [what, limit, program] of [
        ['conv2d', 74_000, CONVOLUTION],
        ['fusion', 95_000, FUSION],
        [
          'log-mel',
          8_000,
          `import { LogMelExtractor } from 'wavelight/avsc'; console.log(new LogMelExtractor());`,
        ],
      ] as const) {
        it(`of ${what} hold little else`, async () => {
          project.write(`${what}.js`, program);
          for (const bundler of ['vite', 'esbuild', 'webpack']) {
            const [entry, out] = [
              join(project.app, `${what}.js`),
              join(project.app, `${bundler}-${what}.js`),
            ];
            await project.run(node, script, bundler, project.toolFile('..'), entry, out);
            const code = readFileSync(out);
            const gzip = gzipSync(code, { level: 9 }).length;
            console.log(`${what} by ${bundler}: ${code.length} bytes, ${gzip} gzipped`);
            expect(gzip, bundler).toBeLessThan(limit);
            expect(code.toString().match(/["'`]node:|\bBuffer\.|\bprocess\./g)).toBeNull();
          }
        });
      }
    });

    describe('with the packages that Node needs', () => {
      beforeAll(() => {
        project.link(peers);
        project.write('conv2d.mjs', CONVOLUTION.replace('create()', `create({ adapter: 'software' })`));
      });

      it('bundles compute what they should, by any WebGPU that a page has', async () => {
        project.write(
          'page.mjs',
          `import { openNodeGpu } from 'wavelight/node';
           const open = () => openNodeGpu({ adapter: 'software', profile: 'checked' });
           const gpu = { requestAdapter: async () => (await open()).adapter };
           Object.defineProperty(globalThis, 'navigator', { value: { gpu } });
           await import(process.argv[2]);`,
        );
        const inPage = async (name: string): Promise<unknown> =>
          numbersIn((await project.run(node, 'page.mjs', `./${name}.js`)).stdout);
        for (const bundler of ['vite', 'esbuild', 'webpack']) {
          expect(await inPage(`${bundler}-conv2d`), bundler).toEqual(convolution());
          const [fused, plain] = (await inPage(`${bundler}-fusion`)) as readonly [number, number];
          expect(fused, bundler).toBeLessThan(plain);
        }
      });

      for (const major of [20, 24]) {
        const path = nodes.get(major);
        it.skipIf(path === undefined)(
          `computes in Node ${major}${path === undefined ? ': skipped, this machine has none' : ''}`,
          async () => {
            const { stdout } = await project.run(path ?? '', 'conv2d.mjs');
            expect(numbersIn(stdout)).toEqual(convolution());
          },
        );
      }

      it('computes in Deno, by what there is and by SwiftShader', async () => {
        const deno = [project.tool('deno'), 'run', '-A'];
        const found = await project.run('env', ...deno, 'conv2d.mjs');
        console.log(`Deno: ${found.stderr.trim().split('\n').at(-1) ?? ''}`);
        expect(numbersIn(found.stdout)).toEqual(convolution());
        const none = ['VK_DRIVER_FILES=/none', 'DENO_WEBGPU_BACKEND=vulkan'];
        const { stdout, stderr } = await project.run('env', ...none, ...deno, 'conv2d.mjs');
        expect(numbersIn(stdout)).toEqual(convolution());
        expect(stderr).toContain('SwiftShader');
        expect((await project.run('env', ...deno, 'examples/deno/edges.ts')).stdout).toMatch(
          /^edges on .+\n( {12}\n){2} {2}\.\. {4}\.\. {2}\n/,
        );
      });

      it('computes in Bun, by SwiftShader and by what there is', async () => {
        const bun = project.tool('bun');
        const { stdout, stderr } = await project.run('env', 'VK_DRIVER_FILES=/none', bun, 'conv2d.mjs');
        expect(numbersIn(stdout)).toEqual(convolution());
        expect(stderr).toContain('SwiftShader');
        expect((await project.run(bun, 'examples/bun/line.ts')).stdout).toMatch(/y = 3\.000 x \+ -1\.000/);
      });

      it('gives one engine by all its entries', async () => {
        project.write(
          'engine.mjs',
          `import { Device, Tensor, nn } from 'wavelight';
           import { AudioNet, createModel, findStage, preset } from 'wavelight/avsc';
           import { NodeDevice } from 'wavelight/node';
           const device = await Device.create({ adapter: 'software' });
           const x = device.tensor([1, -2, 3], [1, 3]);
           const { net } = createModel(preset('small'), findStage(preset('small'), 'audio'));
           console.log(JSON.stringify({
             sum: await x.relu().sum().item(),
             tensor: x instanceof Tensor,
             device: device instanceof NodeDevice,
             modules: net instanceof nn.Module && net instanceof AudioNet,
           }));
           await device.destroy();`,
        );
        const { stdout } = await project.run(node, 'engine.mjs');
        expect(JSON.parse(stdout)).toEqual({ sum: 4, tensor: true, device: true, modules: true });
      });

      it('runs its command line, threads included', async () => {
        const samples = Float32Array.from({ length: 2 * 48_000 }, (_, i) => Math.sin(i / 20) / 2);
        project.write('tone.wav', encodeWav([samples, samples], 48_000, 16));
        const { stdout } = await project.run(node, cli(), 'features', 'tone.wav');
        expect(JSON.parse(stdout)).toMatchObject({ shape: [2, 6, 128, 39] });
      });

      it('trains from its command line', async () => {
        const options = ['--model', 'small', '--device', 'software', '--steps', '1', '--json'];
        const { stdout } = await project.run(node, cli(), 'bench', 'model', ...options);
        expect((JSON.parse(stdout) as { loss: number }).loss).toBeGreaterThan(0);
      });

      it('plans an experiment, and finds the tables', async () => {
        const planned = await project.run(node, cli(), 'train', '--config', 'joint', '--dry-run', '--json');
        const { stages } = JSON.parse(planned.stdout) as {
          stages: { stage: string; plan: { dispatches: number } }[];
        };
        expect(stages.map(({ stage }) => stage)).toEqual(['audio', 'joint']);
        for (const { plan } of stages) expect(plan.dispatches).toBeGreaterThan(100);
        const refused = await project.fail(node, cli(), 'reproduce', 'table1', '--data', 'none');
        expect(refused.stderr).toContain('none');
      });

      it('runs the examples', async () => {
        const example = async (name: string, ...args: string[]): Promise<string> =>
          (await project.run(node, join('examples', name), ...args)).stdout;
        expect(await example('train.ts')).toMatch(/step 40: loss 0\.\d+\nsaved stripes\.safetensors/);
        const right = /(\d+) of 60 right/.exec(await example('predict.ts'))?.[1];
        console.log(`examples: ${right ?? 'none'} of 60 predictions right`);
        expect(Number(right)).toBeGreaterThan(40);
        expect(await example('own-device/main.ts')).toBe(
          'engine: 30 40 110 160\ncopied: 30 40 110 160 0 20 40 60\n',
        );
        expect(await example('benchmark.ts', '128')).toMatch(/128\^3 on .+ ms, \d+\.\d GFLOP\/s/);
      });
    });
  },
);
