import { BufferUsage, SHADER_STAGE_COMPUTE, TextureUsage } from '../../gpu/flags.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { alignUp, formatBytes, numberer, STORAGE_USAGE, type Storage } from '../../gpu/storage.ts';
import {
  packPixelParams,
  PIXEL_TILE,
  pixelColumns,
  pixelTensor,
  type PixelKind,
  type PixelParams,
} from '../../kernels/pixels.ts';
import { Kept } from './kept.ts';
import type { CheckedSource } from './sources.ts';
import { pixelTables, type PixelWork } from './tables.ts';

/** Taps and tables on the device, with what shaders need to know of them. */
interface Tables {
  readonly buffer: GPUBuffer;
  readonly params: PixelParams;
  /** Whether there is a pass over lines. */
  readonly resized: boolean;
}

const PARAMS_BYTES = 80;
/** Sizes of pictures, with their ways to be resized and normalized, whose tables are kept. */
const TABLES_KEPT = 16;
const GROUPS_KEPT = 64;

/** Writes pictures into tensors. What it makes for that it keeps: a call like one before makes nothing. */
export class PixelReader {
  readonly #gpu: Gpu;
  readonly #params: GPUBuffer;
  readonly #tables: Kept<Tables>;
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #groups = new Kept<GPUBindGroup>(GROUPS_KEPT);
  readonly #sources = new WeakMap<GPUTexture, GPUBindGroup>();
  readonly #numberOf = numberer();
  #lines: GPUBuffer | null = null;
  #upload: GPUTexture | null = null;
  #canvas: OffscreenCanvas | null = null;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.#params = gpu.createBuffer('pixel params', PARAMS_BYTES, BufferUsage.UNIFORM | BufferUsage.COPY_DST);
    this.#tables = new Kept(TABLES_KEPT, ({ buffer }) => gpu.destroyBuffer(buffer));
  }

  /** Writes the source to y [pictures, 3, height, width] as its picture number `picture`. */
  read(work: PixelWork, y: Storage, bytes: number, picture: number): void {
    const { source } = work;
    const kind = kindOf(source);
    const { buffer: taps, params, resized } = this.#tablesFor(work, kind);
    const lines = resized ? this.#linesOf(params, kind) : null;
    const from = this.#bindSource(source);
    const { queue } = this.#gpu.device;
    queue.writeBuffer(this.#params, 0, packPixelParams({ ...params, picture }));
    this.#gpu.submit((encoder) => {
      const pass = encoder.beginComputePass();
      const dispatch = (columns: number, rows: number): void =>
        pass.dispatchWorkgroups(Math.ceil(columns / PIXEL_TILE), Math.ceil(rows / PIXEL_TILE));
      if (lines !== null) {
        pass.setPipeline(this.#pipeline(kind, 'columns'));
        pass.setBindGroup(0, this.#group('columns', { taps, lines }));
        pass.setBindGroup(1, from);
        dispatch(params.width, params.lines);
      }
      const stage = lines === null ? 'pixels' : 'rows';
      pass.setPipeline(this.#pipeline(kind, stage));
      pass.setBindGroup(0, this.#group(stage, { taps, lines, y: y.buffer, bytes }), [y.offset]);
      if (lines === null) pass.setBindGroup(1, from);
      dispatch(params.width, params.height);
      pass.end();
    });
    this.#gpu.counters.dispatches += lines === null ? 1 : 2;
  }

  // Tables and lines

  #tablesFor(work: PixelWork, kind: PixelKind): Tables {
    const { source, view, mean, std } = work;
    const key = JSON.stringify([kind === 'float', source.width, source.height, view, mean, std]);
    return this.#tables.get(key, () => {
      const { words, params, resized } = pixelTables(work, kind);
      const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
      const buffer = this.#gpu.createBuffer('pixel tables', words.byteLength, usage);
      this.#gpu.device.queue.writeBuffer(buffer, 0, words);
      return { buffer, params, resized };
    });
  }

  /** Memory for lines, which grows. */
  #linesOf({ width, lines }: PixelParams, kind: PixelKind): GPUBuffer {
    const bytes = alignUp(width * lines * (kind === 'float' ? 16 : 4));
    const { maxStorageBytes } = this.#gpu;
    if (bytes > maxStorageBytes) {
      throw new RangeError(
        `fromPixels needs ${formatBytes(bytes)} for ${lines} lines of ${width} pixels, the device binds at most ` +
          `${formatBytes(maxStorageBytes)}: use a smaller size`,
      );
    }
    if (this.#lines !== null && this.#lines.size >= bytes) return this.#lines;
    if (this.#lines !== null) this.#gpu.destroyBuffer(this.#lines);
    return (this.#lines = this.#gpu.createBuffer('pixel lines', bytes, STORAGE_USAGE));
  }

  // Sources

  #bindSource(source: CheckedSource): GPUBindGroup {
    switch (source.from) {
      case 'external':
        // Valid for this task only.
        return this.#sourceGroup(source.texture, 'external');
      case 'texture':
        return this.#textureGroup(source.texture);
      case 'bytes': {
        const { data, width, height } = source;
        const texture = this.#uploadTexture(width, height);
        const { queue } = this.#gpu.device;
        queue.writeTexture({ texture }, data, { bytesPerRow: 4 * width }, [width, height]);
        return this.#textureGroup(texture);
      }
      case 'image':
        return this.#copyImage(source.image, source.width, source.height);
      case 'video':
        return this.#copyImage(
          this.#drawVideo(source.image, source.width, source.height),
          source.width,
          source.height,
        );
    }
  }

  #copyImage(image: GPUCopyExternalImageSource, width: number, height: number): GPUBindGroup {
    const texture = this.#uploadTexture(width, height);
    const to = { texture, colorSpace: 'srgb', premultipliedAlpha: false } as const;
    this.#gpu.device.queue.copyExternalImageToTexture({ source: image }, to, [width, height]);
    return this.#textureGroup(texture);
  }

  /**
   * A video's frame on a canvas, which grows. Copied to a texture directly, its dark colors would become lighter: there browsers
   * convert the transfer function of videos to that of sRGB, where canvases and decoders of files leave the bytes as they are.
   */
  #drawVideo(frame: VideoFrame | HTMLVideoElement, width: number, height: number): OffscreenCanvas {
    const canvas = (this.#canvas ??= new OffscreenCanvas(width, height));
    if (canvas.width < width) canvas.width = width;
    if (canvas.height < height) canvas.height = height;
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('fromPixels: the browser has no canvas to draw a video on');
    context.globalCompositeOperation = 'copy';
    context.drawImage(frame, 0, 0, width, height);
    return canvas;
  }

  /** A texture for pictures of the host, which grows; smaller ones lie in its corner. */
  #uploadTexture(width: number, height: number): GPUTexture {
    const before = this.#upload;
    if (before !== null && before.width >= width && before.height >= height) return before;
    const size = [Math.max(width, before?.width ?? 0), Math.max(height, before?.height ?? 0)] as const;
    if (before !== null) this.#gpu.destroyTexture(before);
    const { COPY_DST, TEXTURE_BINDING, RENDER_ATTACHMENT } = TextureUsage;
    // Copies of the browser's pictures are drawn.
    const usage = COPY_DST | TEXTURE_BINDING | RENDER_ATTACHMENT;
    return (this.#upload = this.#gpu.createTexture('pictures', size, 'rgba8unorm', usage));
  }

  #textureGroup(texture: GPUTexture): GPUBindGroup {
    const known = this.#sources.get(texture);
    if (known !== undefined) return known;
    const group = this.#sourceGroup(texture.createView({ mipLevelCount: 1 }), 'texture');
    this.#sources.set(texture, group);
    return group;
  }

  #sourceGroup(resource: GPUTextureView | GPUExternalTexture, from: 'texture' | 'external'): GPUBindGroup {
    this.#gpu.counters.bindGroupsCreated++;
    const entries = [{ binding: 0, resource }];
    return this.#gpu.device.createBindGroup({ label: 'picture', layout: this.#sourceLayout(from), entries });
  }

  #sourceLayout(from: 'texture' | 'external'): GPUBindGroupLayout {
    return this.#layout(from, {
      binding: 0,
      visibility: SHADER_STAGE_COMPUTE,
      // Formats of 32 bits cannot be filtered, and nothing is.
      ...(from === 'texture' ? { texture: { sampleType: 'unfilterable-float' } } : { externalTexture: {} }),
    });
  }

  // Pipelines and what they bind

  #pipeline(kind: PixelKind, stage: Stage): GPUComputePipeline {
    const key = `${kind} ${stage}`;
    const known = this.#pipelines.get(key);
    if (known !== undefined) return known;
    const { device, counters } = this.#gpu;
    const label = `pixels ${key}`;
    const code = stage === 'columns' ? pixelColumns(kind) : pixelTensor(kind, stage === 'rows');
    if (this.#gpu.debug >= 4) this.#gpu.log(`--- ${label}\n${code}`);
    const source = this.#sourceLayout(kind === 'external' ? 'external' : 'texture');
    const bindGroupLayouts = [this.#stageLayout(stage), ...(stage === 'rows' ? [] : [source])];
    const pipeline = device.createComputePipeline({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts }),
      compute: { module: device.createShaderModule({ label, code }), entryPoint: 'main' },
    });
    counters.shaderModulesCreated++;
    counters.pipelinesCreated++;
    this.#pipelines.set(key, pipeline);
    return pipeline;
  }

  #stageLayout(stage: Stage): GPUBindGroupLayout {
    return this.#layout(
      stage,
      ...BOUND[stage].map((binding): GPUBindGroupLayoutEntry => {
        const buffer = { type: typeOf(binding, stage), hasDynamicOffset: binding === Y };
        return { binding, visibility: SHADER_STAGE_COMPUTE, buffer };
      }),
    );
  }

  #layout(label: string, ...entries: readonly GPUBindGroupLayoutEntry[]): GPUBindGroupLayout {
    const known =
      this.#layouts.get(label) ?? this.#gpu.device.createBindGroupLayout({ label, entries: [...entries] });
    this.#layouts.set(label, known);
    return known;
  }

  #group(stage: Stage, { taps, lines, y, bytes }: StageBuffers): GPUBindGroup {
    const key = [stage, ...[taps, lines, y].map((buffer) => buffer && this.#numberOf(buffer)), bytes].join();
    return this.#groups.get(key, () => {
      const resources = [this.#params, taps, lines, y];
      const entries = BOUND[stage].flatMap((binding): GPUBindGroupEntry[] => {
        const buffer = resources[binding];
        if (buffer === null || buffer === undefined) return [];
        return [
          { binding, resource: { buffer, ...(binding === Y && bytes !== undefined && { size: bytes }) } },
        ];
      });
      this.#gpu.counters.bindGroupsCreated++;
      return this.#gpu.device.createBindGroup({ label: stage, layout: this.#stageLayout(stage), entries });
    });
  }
}

/** Lines from a source; a tensor from lines; a tensor from a source. */
type Stage = 'columns' | 'rows' | 'pixels';

const [PARAMS, TAPS, LINES] = [0, 1, 2];
/** Where it lies in its buffer is said with each dispatch. */
const Y = 3;

const BOUND: Readonly<Record<Stage, readonly number[]>> = {
  columns: [PARAMS, TAPS, LINES],
  rows: [PARAMS, TAPS, LINES, Y],
  pixels: [PARAMS, TAPS, Y],
};

function typeOf(binding: number, stage: Stage): GPUBufferBindingType {
  if (binding === PARAMS) return 'uniform';
  const reads = binding === TAPS || (binding === LINES && stage === 'rows');
  return reads ? 'read-only-storage' : 'storage';
}

interface StageBuffers {
  readonly taps: GPUBuffer;
  readonly lines: GPUBuffer | null;
  readonly y?: GPUBuffer;
  readonly bytes?: number;
}

function kindOf(source: CheckedSource): PixelKind {
  switch (source.from) {
    case 'external':
      return 'external';
    case 'texture':
      return source.kind;
    case 'bytes':
    case 'image':
    case 'video':
      return 'bytes';
  }
}
