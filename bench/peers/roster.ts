/* The peers: requirements of each, and whether it is installed. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AdapterChoice } from '../../src/node/adapter.ts';
import type { Precision } from './compare.ts';
import type { Opening } from './protocol.ts';
import type { Work } from './work.ts';

export const PEERS = ['tfjs', 'jax-js', 'onnxruntime', 'pytorch'] as const;
export type PeerName = (typeof PEERS)[number];

/** A configuration of a peer, run in its own process. */
export interface Contestant {
  readonly name: string;
  readonly command: readonly string[];
  readonly does: readonly Work['kind'][];
  readonly precision: Precision;
  /** Steps of a run, over which its fixed cost is spread. */
  readonly leastSteps: number;
  /** True if it computes in f32 on wavelight's adapter, so that the adapter's ceilings apply. */
  readonly onAdapter: boolean;
}

export interface Missing {
  readonly name: PeerName;
  readonly missing: string;
}

const PACKAGES: Readonly<Record<Exclude<PeerName, 'pytorch'>, readonly string[]>> = {
  tfjs: ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-webgpu'],
  'jax-js': ['@jax-js/jax'],
  onnxruntime: ['onnxruntime-node'],
};

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** wavelight itself. Throws an Error outside a checkout, because the peers' processes run its sources. */
export function ownContestant(device: AdapterChoice): Contestant {
  if (!existsSync(here('./child.ts')))
    throw new Error('bench peers runs in a checkout of wavelight only, where bench/peers is: clone it');
  const version = versionIn('../../package.json');
  return nodeContestant('wavelight', { device, version, adapter: '' }, ['conv', 'product', 'dense', 'net']);
}

/** The configurations of a peer beside wavelight on this kind of adapter, or the reason why there are none. */
export function contestants(
  name: PeerName,
  opening: Omit<Opening, 'version'>,
  kind: 'gpu' | 'cpu',
): readonly Contestant[] | Missing {
  if (name === 'pytorch') return pytorchContestants(kind);
  const versions = PACKAGES[name].map(installedVersion);
  const [version] = versions;
  if (version === undefined || versions.includes(undefined)) {
    const missing = `${PACKAGES[name].join(' and ')} not installed: npm ci --prefix bench/peers`;
    return { name, missing };
  }
  return [
    nodeContestant(
      name,
      { ...opening, version },
      name === 'onnxruntime' ? ['conv'] : ['conv', 'product', 'dense'],
    ),
  ];
}

const nodeContestant = (name: string, opening: Opening, does: Contestant['does']): Contestant => ({
  name,
  command: [
    process.execPath,
    '--import',
    here('../../bin/wgsl.js'),
    here('./child.ts'),
    name,
    JSON.stringify(opening),
  ],
  does,
  precision: 'f32',
  // ONNX Runtime passes over the input once per run.
  leastSteps: name === 'onnxruntime' ? 4 : 1,
  onAdapter: true,
});

function installedVersion(name: string): string | undefined {
  const manifest = `./node_modules/${name}/package.json`;
  return existsSync(here(manifest)) ? versionIn(manifest) : undefined;
}

const versionIn = (manifest: string): string =>
  (JSON.parse(readFileSync(here(manifest), 'utf8')) as { version: string }).version;

/** PyTorch on CUDA beside a GPU, on the CPU beside a software adapter: in each layout, on CUDA with and without TF32. */
function pytorchContestants(kind: 'gpu' | 'cpu'): readonly Contestant[] | Missing {
  const python = process.env['PYTHON'] ?? 'python3';
  const probe = spawnSync(python, ['-c', 'import numpy, torch; print(torch.cuda.is_available())'], {
    encoding: 'utf8',
  });
  if (probe.status !== 0) {
    const missing = `${python} has no PyTorch with numpy: pip install torch numpy, or name another Python in PYTHON`;
    return { name: 'pytorch', missing };
  }
  const cuda = kind === 'gpu' && probe.stdout.trim() === 'True';
  return (cuda ? ['off', 'on'] : ['off']).flatMap((tf32) =>
    ['contiguous', 'channels_last'].map((layout): Contestant => {
      const name = [
        'pytorch',
        ...(tf32 === 'on' ? ['tf32'] : []),
        ...(layout === 'contiguous' ? [] : [layout]),
      ];
      return {
        name: name.join(' '),
        command: [python, here('./pytorch.py'), layout, tf32, cuda ? 'cuda' : 'cpu'],
        does: ['conv', 'dense', 'net'],
        precision: tf32 === 'on' ? 'tf32' : 'f32',
        leastSteps: 1,
        onAdapter: false,
      };
    }),
  );
}
