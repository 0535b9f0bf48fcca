import { Profiler, byLabel } from '../src/gpu/profiler.ts';
import {
  avgPool2d,
  batchNorm2d,
  conv2d,
  crossEntropy,
  matmul,
  maxPool2d,
  relu,
  type Device,
  type Shape,
  type Tensor,
} from '../src/index.ts';
import { median } from './report.ts';

/** One kernel at one shape: the median of its times, and its rates. */
interface KernelResult {
  readonly case: string;
  readonly kernel: string;
  readonly milliseconds: number;
  readonly gflops: number;
  readonly gbps: number;
}

interface Case {
  readonly name: string;
  readonly inputs: readonly Shape[];
  readonly run: (...inputs: Tensor[]) => Tensor;
}

const conv = (name: string, x: Shape, w: Shape, stride = 1, padding = 0): Case => ({
  name: `${name} ${x.join('x')} * ${w.join('x')}`,
  inputs: [x, w],
  run: (a, b) => conv2d(a, b, null, { stride, padding }),
});

/** Shapes of DenseNet161 and FCNN for `batch` images (a sample has two frames for DenseNet). */
function cases(batch: number): Case[] {
  const n = batch;
  const gemm = (size: number): Case => ({
    name: `matmul ${size}^3`,
    inputs: [
      [size, size],
      [size, size],
    ],
    run: (a, b) => matmul(a, b),
  });
  return [
    gemm(512),
    conv('densenet stem 7x7 s2', [n, 3, 224, 224], [96, 3, 7, 7], 2, 3),
    conv('densenet bottleneck 1x1', [n, 384, 14, 14], [192, 384, 1, 1]),
    conv('densenet bottleneck 1x1', [n, 240, 56, 56], [192, 240, 1, 1]),
    conv('densenet growth 3x3', [n, 192, 56, 56], [48, 192, 3, 3], 1, 1),
    conv('densenet growth 3x3', [n, 192, 14, 14], [48, 192, 3, 3], 1, 1),
    conv('densenet transition 1x1', [n, 2112, 14, 14], [1056, 2112, 1, 1]),
    conv('fcnn stem 5x5 s2', [n, 6, 128, 39], [144, 6, 5, 5], 2, 2),
    conv('fcnn block 1', [n, 144, 64, 20], [144, 144, 3, 3], 1, 1),
    conv('fcnn block 3', [n, 576, 16, 5], [576, 576, 3, 3], 1, 1),
    {
      name: `batch norm + relu ${n}x384x28x28`,
      inputs: [[n, 384, 28, 28], [384], [384]],
      run: (x, weight, bias) => relu(batchNorm2d(x, { weight: weight, bias: bias, training: true })),
    },
    {
      name: `max pool ${n}x96x112x112`,
      inputs: [[n, 96, 112, 112]],
      run: (x) => maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }),
    },
    {
      name: `avg pool ${n}x192x56x56`,
      inputs: [[n, 192, 56, 56]],
      run: (x) => avgPool2d(x, { kernelSize: 2, stride: 2 }),
    },
    {
      name: 'cross entropy 64x365',
      inputs: [
        [64, 365],
        [64, 365],
      ],
      run: (logits, target) => crossEntropy(logits, target.detach()),
    },
  ];
}

/** Times forward and backward of each case by the device's timestamps, kernel by kernel. */
export async function benchKernels(device: Device, batch: number, repeats: number): Promise<KernelResult[]> {
  const results: KernelResult[] = [];
  for (const { name, inputs, run } of cases(batch)) {
    const tensors = inputs.map((shape, i) =>
      device.tensor(noise(shape, i + 1), shape, { requiresGrad: true }),
    );
    const step = device.compile(() => {
      for (const tensor of tensors) tensor.clearGrad();
      const y = run(...tensors);
      y.backward(y.detach());
    });
    await step();
    const times = new Map<string, { milliseconds: number; gflops: number; gbps: number }[]>();
    for (let i = 0; i < repeats; i++) {
      const profiler = new Profiler(device.gpu);
      step.profile(profiler);
      await step();
      for (const row of byLabel(await profiler.times())) {
        const one = {
          milliseconds: row.milliseconds,
          gflops: row.gigaflopsPerSecond,
          gbps: row.gigabytesPerSecond,
        };
        times.set(row.label, [...(times.get(row.label) ?? []), one]);
      }
      profiler.destroy();
    }
    for (const [kernel, samples] of times) {
      results.push({
        case: name,
        kernel,
        milliseconds: median(samples.map(({ milliseconds }) => milliseconds)),
        gflops: median(samples.map(({ gflops }) => gflops)),
        gbps: median(samples.map(({ gbps }) => gbps)),
      });
    }
    step.dispose();
    for (const tensor of tensors) {
      tensor.clearGrad();
      tensor.dispose();
    }
  }
  return results;
}

/** Pseudorandom values, so that no kernel profits from zeros or order. */
function noise(shape: Shape, seed: number): Float32Array<ArrayBuffer> {
  const length = shape.reduce((product, size) => product * size, 1);
  return Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + seed * 78.233));
}
