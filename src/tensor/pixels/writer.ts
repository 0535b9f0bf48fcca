import { BufferUsage, SHADER_STAGE_FRAGMENT } from '../../gpu/flags.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { numberer, type Storage } from '../../gpu/storage.ts';
import { packDrawParams, pixelDraw, type DrawParams } from '../../kernels/pixels.ts';
import { Kept } from './kept.ts';

/** Formats that a tensor can be drawn into. */
export const TARGET_FORMATS = [
  'rgba8unorm',
  'bgra8unorm',
  'rgba8unorm-srgb',
  'bgra8unorm-srgb',
  'r8unorm',
  'rg8unorm',
  'r16float',
  'rg16float',
  'rgba16float',
  'r32float',
  'rg32float',
  'rgba32float',
  'rgb10a2unorm',
] as const satisfies readonly GPUTextureFormat[];

export type TargetFormat = (typeof TARGET_FORMATS)[number];

const GROUPS_KEPT = 64;
const PARAMS_BYTES = 48;

/** Draws tensors into textures. What it makes for that it keeps: a call like one before makes nothing. */
export class PixelWriter {
  readonly #gpu: Gpu;
  readonly #params: GPUBuffer;
  readonly #layout: GPUBindGroupLayout;
  readonly #pipelines = new Map<GPUTextureFormat, GPURenderPipeline>();
  readonly #groups = new Kept<GPUBindGroup>(GROUPS_KEPT);
  readonly #views = new WeakMap<GPUTexture, GPUTextureView>();
  readonly #numberOf = numberer();

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.#params = gpu.createBuffer('draw params', PARAMS_BYTES, BufferUsage.UNIFORM | BufferUsage.COPY_DST);
    const visibility = SHADER_STAGE_FRAGMENT;
    this.#layout = gpu.device.createBindGroupLayout({
      label: 'draw',
      entries: [
        { binding: 0, visibility, buffer: { type: 'uniform' } },
        // Where the tensor lies in its buffer is said with each draw.
        { binding: 1, visibility, buffer: { type: 'read-only-storage', hasDynamicOffset: true } },
      ],
    });
  }

  /** Draws x [channels, height, width] over the whole of a texture of its size. */
  draw(x: Storage, bytes: number, params: DrawParams, texture: GPUTexture): void {
    const pipeline = this.#pipeline(texture.format);
    const group = this.#group(x.buffer, bytes);
    const view = this.#view(texture);
    this.#gpu.device.queue.writeBuffer(this.#params, 0, packDrawParams(params));
    this.#gpu.submit((encoder) => {
      const pass = encoder.beginRenderPass({
        colorAttachments: [{ view, loadOp: 'clear', storeOp: 'store' }],
      });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group, [x.offset]);
      pass.draw(3);
      pass.end();
    });
  }

  #pipeline(format: GPUTextureFormat): GPURenderPipeline {
    const known = this.#pipelines.get(format);
    if (known !== undefined) return known;
    const { device, counters } = this.#gpu;
    const label = `draw ${format}`;
    const code = pixelDraw({ bytes: format.includes('8unorm'), srgb: format.endsWith('-srgb') });
    if (this.#gpu.debug >= 4) this.#gpu.log(`--- ${label}\n${code}`);
    const module = device.createShaderModule({ label, code });
    const pipeline = device.createRenderPipeline({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: [this.#layout] }),
      vertex: { module, entryPoint: 'corner' },
      fragment: { module, entryPoint: 'paint', targets: [{ format }] },
    });
    counters.shaderModulesCreated++;
    counters.pipelinesCreated++;
    this.#pipelines.set(format, pipeline);
    return pipeline;
  }

  #group(buffer: GPUBuffer, size: number): GPUBindGroup {
    return this.#groups.get(`${this.#numberOf(buffer)} ${size}`, () => {
      this.#gpu.counters.bindGroupsCreated++;
      const entries = [
        { binding: 0, resource: { buffer: this.#params } },
        { binding: 1, resource: { buffer, size } },
      ];
      return this.#gpu.device.createBindGroup({ label: 'draw', layout: this.#layout, entries });
    });
  }

  #view(texture: GPUTexture): GPUTextureView {
    const known = this.#views.get(texture) ?? texture.createView({ mipLevelCount: 1 });
    this.#views.set(texture, known);
    return known;
  }
}
