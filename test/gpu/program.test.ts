import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { f32, i32, u32, uniform } from '../../src/gpu/dispatch.ts';
import type { BufferRef, Dispatch } from '../../src/gpu/dispatch.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { Heap } from '../../src/gpu/heap.ts';
import { Profiler, byLabel, formatProfile } from '../../src/gpu/profiler.ts';
import { Program } from '../../src/gpu/program.ts';
import type { Storage } from '../../src/gpu/storage.ts';
import { buffer, runDispatches } from '../kernels/run.ts';
import type { Values } from '../kernels/run.ts';
import { ownGpu } from '../support/device.ts';
import { axpy } from './axpy.ts';

const LENGTH = 100;
const SCALARS = new Float32Array([0, 0, 0.5]);
const input = Float32Array.from({ length: LENGTH }, (_, i) => i / 8);

const BITS = `
struct Params { unsigned: u32, signed: i32, float: f32 }
@group(0) @binding(0) var<storage, read_write> bits: array<u32>;
@group(0) @binding(1) var<uniform> params: Params;
@compute @workgroup_size(1)
fn main() {
  bits[0] = params.unsigned;
  bits[1] = bitcast<u32>(params.signed);
  bits[2] = bitcast<u32>(params.float);
}
`;

/** Places every buffer in a heap of its own. */
function placer(gpu: Gpu): (ref: BufferRef) => Storage {
  const places = new Map<BufferRef, Storage>();
  return (ref) => {
    const known = places.get(ref);
    if (known !== undefined) return known;
    const storage = new Heap(gpu, `buffer ${places.size}`, 256).allocate(4 * ref.length, 'x');
    places.set(ref, storage);
    return storage;
  };
}

describe.each([{ bakeParams: false }, { bakeParams: true }])(
  'a program, $bakeParams: parameters baked',
  (options) => {
    let gpu: Gpu;
    beforeAll(async () => {
      gpu = await ownGpu(options);
    });
    afterAll(() => gpu.destroy());

    const run = async (dispatches: Dispatch[], x: BufferRef, y: BufferRef): Promise<Values> => {
      const results = await runDispatches(gpu, dispatches, new Map([[x, input]]), SCALARS);
      return results.get(y) ?? new Float32Array();
    };

    it('runs dispatches in order', async () => {
      const [x, y, z] = [buffer(LENGTH), buffer(LENGTH), buffer(LENGTH)];
      const values = await run([axpy(x, y, 0.1), axpy(y, z, -2, { bias: 4 })], x, z);
      const expected = input.map((value) => -2 * (0.1 * value - 2.5) + 1.5);
      const error = Math.max(...expected.map((value, i) => Math.abs(value - (values[i] ?? NaN))));
      console.log(`axpy twice: largest error ${error}`);
      expect(values.length).toBe(LENGTH);
      expect(error).toBeLessThan(1e-5);
    });

    it('passes every bit of a parameter', async () => {
      const floats = [3.4028234663852886e38, 1.17549435e-38, 0.1, -1e-7, 16777217, 1 / 3, 0];
      for (const [i, value] of floats.entries()) {
        const bits = buffer(3, 'u32');
        const [unsigned, signed] = i % 2 === 0 ? [2 ** 32 - 1, -(2 ** 31)] : [0, 2 ** 31 - 1];
        const dispatch: Dispatch = {
          label: 'bits',
          code: BITS,
          params: { unsigned: u32(unsigned), signed: i32(signed), float: f32(value) },
          operands: [{ buffer: bits, access: 'write' }],
          workgroups: [1, 1, 1],
          flops: 0,
          bytes: 12,
        };
        const [float] = new Uint32Array(new Float32Array([value]).buffer);
        const results = await runDispatches(gpu, [dispatch], new Map());
        expect(results.get(bits)).toEqual(new Uint32Array([unsigned, signed >>> 0, float ?? NaN]));
      }
    });

    it('passes infinity', async () => {
      const [x, y] = [buffer(LENGTH), buffer(LENGTH)];
      expect((await run([axpy(x, y, Infinity)], x, y))[1]).toBe(Infinity);
    });

    it('shares a pipeline between dispatches that differ where they are never baked', async () => {
      const [x, y, z] = [buffer(LENGTH), buffer(LENGTH), buffer(LENGTH)];
      const scaled = (from: BufferRef, to: BufferRef, factor: number): Dispatch => {
        const dispatch = axpy(from, to, factor, { bias: 11 });
        return { ...dispatch, params: { ...dispatch.params, ...uniform({ factor: f32(factor) }) } };
      };
      const before = gpu.counters.snapshot();
      const values = await run([scaled(x, y, 2), scaled(y, z, 3)], x, z);
      const bias = 11 + 0.5 - 3;
      expect(gpu.counters.since(before).pipelinesCreated).toBe(1);
      expect(values).toEqual(input.map((value) => 3 * (2 * value + bias) + bias));
    });

    it('compiles once, shares equal bind groups, and creates nothing when it runs again', async () => {
      const [x, y] = [buffer(LENGTH), buffer(LENGTH)];
      const before = gpu.counters.snapshot();
      const dispatches = [axpy(x, y, 7.5), axpy(x, y, 7.5), axpy(x, y, 7.5)];
      const program = await Program.compile(gpu, dispatches);
      const bound = program.bind(placer(gpu), new Heap(gpu, 'scalars', 256).allocate(12, 'scalars'));
      expect(gpu.counters.since(before)).toMatchObject({ bindGroupsCreated: 1, dispatches: 0 });
      expect(gpu.counters.since(before).pipelinesCreated).toBeLessThanOrEqual(1);
      const counted = gpu.counters.snapshot();
      bound.run();
      bound.run();
      await gpu.idle();
      expect(gpu.counters.since(counted)).toEqual({
        copies: 0,
        bytesCopied: 0,
        buffersCreated: 0,
        texturesCreated: 0,
        bindGroupsCreated: 0,
        pipelinesCreated: 0,
        shaderModulesCreated: 0,
        submits: 2,
        dispatches: 6,
        bytesHeld: 0,
        bytesPeak: 0,
      });
      program.destroy();
      await Program.compile(gpu, dispatches);
      expect(gpu.counters.since(counted).shaderModulesCreated).toBe(0);
    });

    it('names the parameter that does not match the struct', async () => {
      const [x, y] = [buffer(LENGTH), buffer(LENGTH)];
      const { params, ...rest } = axpy(x, y, 31);
      const compileWith = async (changed: NonNullable<Dispatch['params']>): Promise<void> => {
        const program = await Program.compile(gpu, [{ ...rest, params: changed }]);
        program.bind(placer(gpu), new Heap(gpu, 'scalars', 256).allocate(12, 'scalars'));
      };
      const good = params ?? {};
      const { shift, ...without } = good;
      await expect(compileWith(without)).rejects.toThrow('axpy: no value for parameter shift');
      await expect(compileWith({ ...good, extra: { type: 'u32', value: 1 } })).rejects.toThrow(
        'no field extra',
      );
      await expect(compileWith({ ...good, shift: { type: 'u32', value: 1 } })).rejects.toThrow(
        'shift is i32 in the WGSL',
      );
      await expect(compileWith({ ...good, count: { type: 'u32', value: -1 } })).rejects.toThrow(
        'count = -1 is not a u32',
      );
      await expect(compileWith({ ...good, count: { type: 'u32', value: 1.5 } })).rejects.toThrow(
        'count = 1.5 is not',
      );
      expect(shift?.value).toBe(-3);
    });
  },
);

describe('binding a program', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await ownGpu();
  });
  afterAll(() => gpu.destroy());

  it('refuses one buffer in two roles, though the ranges are apart', async () => {
    const [x, y] = [buffer(LENGTH), buffer(LENGTH)];
    const program = await Program.compile(gpu, [axpy(x, y, 1)]);
    const heap = new Heap(gpu, 'shared');
    const places = new Map([x, y].map((ref) => [ref, heap.allocate(4 * LENGTH, 'x')]));
    const scalars = new Heap(gpu, 'scalars', 256).allocate(12, 'scalars');
    const place = (ref: BufferRef): Storage => places.get(ref) as Storage;
    expect(() => program.bind(place, scalars)).toThrow(
      'axpy: operands 0 (read) and 1 (write) cannot lie in one buffer',
    );
  });

  it('refuses to write the same place by two operands, allows places apart', async () => {
    const [x, y] = [buffer(64), buffer(64)];
    const dispatch: Dispatch = {
      label: 'two outputs',
      code: `
        @group(0) @binding(0) var<storage, read_write> x: array<f32>;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_id) id: vec3u) { x[id.x] = 1; y[id.x] = 2; }`,
      operands: [
        { buffer: x, access: 'write' },
        { buffer: y, access: 'readwrite' },
      ],
      workgroups: [1, 1, 1],
      flops: 0,
      bytes: 512,
    };
    const program = await Program.compile(gpu, [dispatch]);
    const heap = new Heap(gpu, 'shared');
    const [a, b] = [heap.allocate(256, 'x'), heap.allocate(256, 'y')];
    expect(() => program.bind(() => a)).toThrow('two outputs: operands 0 (write) and 1 (readwrite)');
    program.bind((ref) => (ref === x ? a : b)).run();
    expect(new Float32Array(await gpu.read(a, 4))[0]).toBe(1);
    expect(new Float32Array(await gpu.read(b, 4))[0]).toBe(2);
  });

  it('wants scalars and storage that is large enough', async () => {
    const [x, y] = [buffer(LENGTH), buffer(LENGTH)];
    const program = await Program.compile(gpu, [axpy(x, y, 1)]);
    expect(() => program.bind(placer(gpu))).toThrow("axpy reads the step's scalars");
    const small = new Heap(gpu, 'small').allocate(4, 'x');
    expect(() => program.bind(() => small)).toThrow(
      `axpy: operand 0 takes ${4 * LENGTH} bytes, but was placed into 256`,
    );
  });
});

describe('what a program tells', () => {
  it('times kernels by label', async (context) => {
    const gpu = await ownGpu();
    if (!Profiler.supports(gpu)) context.skip('this device has no timestamps');
    const [x, y] = [buffer(1 << 16), buffer(1 << 16)];
    // More passes than one query set holds.
    const dispatches = Array.from({ length: 2100 }, (_, i) => ({
      ...axpy(x, y, 1),
      label: i < 2000 ? 'many' : 'few',
    }));
    const program = await Program.compile(
      gpu,
      dispatches.map((one) => ({ ...one, workgroups: [1, 1, 1] as const })),
    );
    const bound = program.bind(placer(gpu), new Heap(gpu, 'scalars', 256).allocate(12, 'scalars'));
    const profiler = new Profiler(gpu);
    const held = gpu.counters.bytesHeld;
    for (let i = 0; i < 2; i++) gpu.submit((encoder) => bound.encode(encoder, profiler));
    const times = await profiler.times();
    expect(times.slice(1998, 2002).map(({ label }) => label)).toEqual(['many', 'many', 'few', 'few']);
    const rows = byLabel(times);
    console.log(formatProfile(rows));
    expect(rows.map(({ label, count }) => [label, count])).toEqual([
      ['many', 4000],
      ['few', 200],
    ]);
    for (const { milliseconds, count, gigaflopsPerSecond, gigabytesPerSecond } of rows) {
      expect(milliseconds).toBeGreaterThan(0);
      expect(gigaflopsPerSecond).toBeCloseTo((4 * 65536 * count) / milliseconds / 1e6, 6);
      expect(gigabytesPerSecond).toBeCloseTo(2 * gigaflopsPerSecond, 6);
    }
    expect(await profiler.times()).toEqual([]);
    profiler.destroy();
    // The staging buffer of the read stays for the next one.
    expect(gpu.counters.bytesHeld - held).toBeLessThanOrEqual(65536);
    gpu.destroy();
  });

  it('logs more at every debug level', async () => {
    const lines: string[][] = [];
    for (const debug of [0, 1, 2, 3, 4] as const) {
      const log: string[] = [];
      const gpu = await ownGpu({ debug, log: (line) => log.push(line) });
      const [x, y] = [buffer(LENGTH), buffer(LENGTH)];
      await runDispatches(gpu, [axpy(x, y, 1)], new Map([[x, input]]), SCALARS);
      await gpu.idle();
      await new Promise((resolve) => setTimeout(resolve, 20));
      lines.push(log);
      gpu.destroy();
    }
    const has = (pattern: RegExp): boolean[] => lines.map((log) => log.some((line) => pattern.test(line)));
    expect(lines[0]).toEqual([]);
    expect(has(/^adapter: .+ \((cpu|gpu), (checked|fast) profile\)$/)).toEqual([
      false,
      true,
      true,
      true,
      true,
    ]);
    expect(has(/^program: 1 dispatches, 0.000 MFLOP, 800 B to move$/)).toEqual([
      false,
      true,
      true,
      true,
      true,
    ]);
    expect(has(/GFLOP\/s[^]*axpy/).slice(0, 2)).toEqual([false, false]);
    expect(has(/^axpy <2, 1, 1> {2}0: read f32\[100\] in operand of axpy\+0/)).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(has(/--- axpy[^]*override BIAS/)).toEqual([false, false, false, false, true]);
  });
});
