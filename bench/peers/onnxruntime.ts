import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { int, ints, type Constant, type OnnxNode } from '../../src/nn/onnx/graph.ts';
import { encodeModel } from '../../src/nn/onnx/model.ts';
import { loadPieces } from '../../src/nn/onnx/protobuf.ts';
import { unpackSwiftShader } from '../../src/node/swiftshader.ts';
import type { Job, Opening, Peer } from './protocol.ts';
import { valuesOf, type ConvWork } from './work.ts';

/** The part of onnxruntime-node that is used. The package is installed separately, so its types are not available. */
interface Ort {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OrtTensor;
}

interface OrtTensor {
  readonly data: Float32Array;
}

interface Session {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Record<string, OrtTensor>>;
  endProfiling(): void;
  release(): Promise<void>;
}

/** Convolutions in one model, over which the fixed cost of a run and its pass over the input are spread. */
const COPIES = 16;

/**
 * ONNX Runtime's WebGPU provider. It brings its own Dawn, here without validation as in wavelight's fast profile and on the
 * same driver. It has no training, so only convolutions are measured.
 */
export async function openOnnxRuntime({ version, adapter }: Opening): Promise<Peer> {
  await shareDriver(adapter);
  const ort = createRequire(import.meta.url)('onnxruntime-node') as Ort;
  // The first session creates the device, so failures to open it appear before anything is measured.
  const provider = await providerOfConv(ort);
  return {
    describe: () =>
      Promise.resolve({
        version,
        adapter: loadedDrivers(),
        notes: [`convolutions on ${provider}, NHWC inside, ${COPIES} a run at most`],
      }),
    prepare: (work) => {
      if (work.kind !== 'conv') throw new Error('onnxruntime does not train');
      return Promise.resolve(convJob(ort, work));
    },
    counts: () => null,
  };
}

/** Makes the driver of wavelight's adapter visible to the Dawn of this process, if the driver comes from npm. */
async function shareDriver(adapter: string): Promise<void> {
  if (!/swiftshader/i.test(adapter)) return;
  const { manifest, loader } = await unpackSwiftShader();
  const { default: koffi } = await import('koffi');
  koffi.load(loader);
  process.env['VK_DRIVER_FILES'] = manifest;
  process.env['VK_ICD_FILENAMES'] = manifest;
}

/** Vulkan drivers loaded into this process, because ONNX Runtime does not name its adapter. */
function loadedDrivers(): string {
  if (!existsSync('/proc/self/maps')) return 'unknown: not told by ONNX Runtime';
  const libraries = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .map((line) => basename(line.slice(line.indexOf('/'))));
  const drivers = libraries.filter((name) => /^lib(vulkan_|vk_|GLX_nvidia|nvidia-glcore|amdvlk)/.test(name));
  return [...new Set(drivers)].join(' or ') || 'no Vulkan driver';
}

const execution = {
  executionProviders: [{ name: 'webgpu', validationMode: 'disabled' }],
  graphOptimizationLevel: 'all',
  // Without this, a node that falls back to the CPU would be measured there.
  extra: { session: { disable_cpu_ep_fallback: '1' } },
  logSeverityLevel: 3,
};

/** Runs a small convolution under ONNX Runtime's profiler, which writes where each node ran. */
async function providerOfConv(ort: Ort): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'wavelight-ort-'));
  try {
    const side = { name: 'x', shape: [1, 4, 8, 8], kind: 'uniform', scale: 1 } as const;
    const weight = { name: 'weight', shape: [4, 4, 3, 3], kind: 'uniform', scale: 1 } as const;
    const work: ConvWork = {
      kind: 'conv',
      name: 'probe',
      x: side,
      weight,
      stride: 1,
      padding: 1,
      output: [1, 4, 8, 8],
    };
    const options = { ...execution, enableProfiling: true, profileFilePrefix: join(folder, 'profile') };
    const session = await ort.InferenceSession.create(await convModel(work, 1, true), options);
    await session.run(feeds(ort));
    session.endProfiling();
    await session.release();
    const [file] = await readdir(folder);
    if (file === undefined) return 'an unknown provider';
    const events = JSON.parse(await readFile(join(folder, file), 'utf8')) as {
      args?: { op_name?: string; provider?: string };
    }[];
    const conv = events.find(({ args }) => args?.provider !== undefined && /conv/i.test(args.op_name ?? ''));
    return conv?.args?.provider ?? 'an unknown provider';
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const feeds = (ort: Ort): Record<string, OrtTensor> => ({
  zero: new ort.Tensor('float32', Float32Array.of(0), [1]),
});

function convJob(ort: Ort, work: ConvWork): Job {
  const sessions = new Map<number, Session>();
  const sessionOf = async (copies: number): Promise<Session> => {
    const known = sessions.get(copies);
    if (known !== undefined) return known;
    const session = await ort.InferenceSession.create(await convModel(work, copies, false), execution);
    sessions.set(copies, session);
    return session;
  };
  return {
    check: async () => {
      const session = await ort.InferenceSession.create(await convModel(work, 1, true), execution);
      const { y0 } = await session.run(feeds(ort));
      await session.release();
      if (y0 === undefined) throw new Error('onnxruntime gives no output');
      return { losses: [], tensors: [y0.data] };
    },
    run: async (steps) => {
      for (let left = steps; left > 0; left -= COPIES) {
        const session = await sessionOf(Math.min(left, COPIES));
        await session.run(feeds(ort));
      }
    },
    dispose: async () => {
      for (const session of sessions.values()) await session.release();
    },
  };
}

/**
 * x = x0 + zero, then `copies` convolutions of x. The output is the first element of each, or all elements if `whole`. The input
 * need not be uploaded nor the output read in each run, and nothing can be precomputed. Each copy has its own kernels, so
 * that they are not merged.
 */
async function convModel(work: ConvWork, copies: number, whole: boolean): Promise<Uint8Array> {
  const weightBytes = bytesOf(valuesOf(work.weight));
  const indices = Array.from({ length: copies }, (_, i) => i);
  const outputs = indices.map((i) => (whole ? `y${i}` : `first${i}`));
  const conv = {
    kernel_shape: ints(work.weight.shape.slice(2)),
    strides: ints([work.stride, work.stride]),
    pads: ints([work.padding, work.padding, work.padding, work.padding]),
    dilations: ints([1, 1]),
    group: int(1),
  };
  const four = (value: number): Constant => ({
    dtype: 'i64',
    shape: [4],
    data: [value, value, value, value],
  });
  const nodes: OnnxNode[] = [
    { type: 'Add', inputs: ['x0', 'zero'], outputs: ['x'], attributes: {} },
    ...indices.map((i) => ({
      type: 'Conv',
      inputs: ['x', `weight${i}`],
      outputs: [`y${i}`],
      attributes: conv,
    })),
    ...(whole
      ? []
      : indices.map((i) => ({
          type: 'Slice',
          inputs: [`y${i}`, 'starts', 'ends'],
          outputs: [`first${i}`],
          attributes: {},
        }))),
  ];
  const pieces = encodeModel({
    name: work.name,
    description: '',
    metadata: new Map(),
    inputs: [{ name: 'zero', dtype: 'f32', dims: [1], description: '' }],
    weights: [
      { name: 'x0', dtype: 'f32', shape: work.x.shape, bytes: late(bytesOf(valuesOf(work.x))) },
      ...indices.map((i) => ({
        name: `weight${i}`,
        dtype: 'f32' as const,
        shape: work.weight.shape,
        bytes: late(weightBytes),
      })),
    ],
    graph: {
      nodes,
      constants: whole
        ? new Map()
        : new Map([
            ['starts', four(0)],
            ['ends', four(1)],
          ]),
      outputs: new Map(
        outputs.map((name) => [name, { dims: whole ? work.output : [1, 1, 1, 1], dtype: 'f32' }]),
      ),
    },
  });
  const parts: Uint8Array[] = [];
  for await (const piece of loadPieces(pieces)) parts.push(piece);
  return new Uint8Array(Buffer.concat(parts));
}

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

const late = (bytes: Uint8Array): { length: number; load(): Promise<Uint8Array> } => ({
  length: bytes.length,
  load: () => Promise.resolve(bytes),
});
