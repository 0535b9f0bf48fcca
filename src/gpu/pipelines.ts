import type { Counters } from './counters.ts';
import type { Access, Dispatch } from './dispatch.ts';
import { bakeParams } from './params.ts';

/** A dispatch made ready for a device. */
export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** True where the parameters are a uniform at binding `operands.length`, false where baked or absent. */
  readonly bindsParams: boolean;
}

interface Variant {
  readonly key: string;
  readonly code: string;
  readonly signature: string;
  readonly bindsParams: boolean;
}

interface Layout {
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

/** Compiles WGSL once per (code, constants, bindings) and keeps the result for the device's life. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #counters: Counters;
  readonly #bake: boolean;
  readonly #compiled = new Map<string, Promise<Compiled>>();
  readonly #layouts = new Map<string, Layout>();

  /** @param bake put parameters into the WGSL as constants (fast kernels, a pipeline per shape) instead of uniforms. */
  constructor(device: GPUDevice, counters: Counters, bake: boolean) {
    this.#device = device;
    this.#counters = counters;
    this.#bake = bake;
  }

  /** Compiles what is not yet known, all in parallel; gives one entry per dispatch. Throws an Error that shows the WGSL line. */
  async prepare(dispatches: readonly Dispatch[]): Promise<Compiled[]> {
    return Promise.all(dispatches.map((dispatch) => this.#get(dispatch)));
  }

  #get(dispatch: Dispatch): Promise<Compiled> {
    const variant = variantOf(dispatch, this.#bake);
    const known = this.#compiled.get(variant.key);
    if (known !== undefined) return known;
    const compiled = this.#compile(dispatch, variant);
    this.#compiled.set(variant.key, compiled);
    return compiled;
  }

  async #compile(dispatch: Dispatch, { code, signature, bindsParams }: Variant): Promise<Compiled> {
    const { label } = dispatch;
    const layout = this.#layout(signature);
    this.#device.pushErrorScope('validation');
    const module = this.#device.createShaderModule({ label, code });
    this.#counters.shaderModulesCreated++;
    const scope = this.#device.popErrorScope();
    // Looked at even without validation: there, a pipeline of an invalid shader ends the process.
    const info = await module.getCompilationInfo();
    const error = info.messages.find(({ type }) => type === 'error');
    const invalid = await scope;
    if (error !== undefined) throw new Error(describeError(label, code, error));
    if (invalid !== null) throw new Error(`${label}: ${invalid.message}`);
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        label,
        layout: layout.pipeline,
        compute: { module, entryPoint: 'main', ...(dispatch.constants && { constants: dispatch.constants }) },
      });
      this.#counters.pipelinesCreated++;
      return { pipeline, layout: layout.group, bindsParams };
    } catch (cause) {
      throw new Error(`${label} does not compile: ${messageOf(cause)}`, { cause });
    }
  }

  #layout(signature: string): Layout {
    const known = this.#layouts.get(signature);
    if (known !== undefined) return known;
    const entries = [...signature].flatMap((kind, binding): GPUBindGroupLayoutEntry[] =>
      kind === ' ' ? [] : [{ binding, visibility: 0x4, buffer: { type: bindingType(kind) } }],
    );
    const group = this.#device.createBindGroupLayout({ label: signature, entries });
    const pipeline = this.#device.createPipelineLayout({ label: signature, bindGroupLayouts: [group] });
    const layout = { group, pipeline };
    this.#layouts.set(signature, layout);
    return layout;
  }
}

function variantOf(dispatch: Dispatch, bake: boolean): Variant {
  const hasParams = dispatch.params !== undefined && Object.keys(dispatch.params).length > 0;
  const baked = hasParams && bake ? bakeParams(dispatch) : null;
  const bindsParams = hasParams && baked === null;
  const code = baked ?? dispatch.code;
  // One letter a binding: r storage read, w storage written, u uniform; a space where nothing is bound.
  const operands = dispatch.operands.map(({ access }) => letterOf(access)).join('');
  const params = bindsParams ? 'u' : hasParams && dispatch.usesScalars ? ' ' : '';
  const signature = operands + params + (dispatch.usesScalars ? 'r' : '');
  const constants = Object.entries(dispatch.constants ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return { key: JSON.stringify([signature, constants, code]), code, signature, bindsParams };
}

const letterOf = (access: Access): string => (access === 'read' ? 'r' : 'w');

function bindingType(kind: string): GPUBufferBindingType {
  if (kind === 'u') return 'uniform';
  return kind === 'r' ? 'read-only-storage' : 'storage';
}

/** The message with the offending line and two lines on either side. */
function describeError(
  label: string,
  code: string,
  { lineNum, linePos, message }: GPUCompilationMessage,
): string {
  const lines = code.split('\n');
  const shown = lines
    .slice(Math.max(0, lineNum - 3), lineNum + 2)
    .map((line, i) => {
      const number = Math.max(0, lineNum - 3) + i + 1;
      return `${number === lineNum ? '>' : ' '} ${String(number).padStart(4)} | ${line}`;
    })
    .join('\n');
  return `${label} does not compile: line ${lineNum}:${linePos}: ${message}\n${shown}`;
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
