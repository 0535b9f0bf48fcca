import type { Counters } from './counters.ts';
import type { Dispatch } from './dispatch.ts';
import { checkElements, elementTypes } from './elements.ts';
import { SHADER_STAGE_COMPUTE } from './flags.ts';
import { bakeParams, canBake, hasParams, hasUniform, paramFields } from './params.ts';
import type { ParamField } from './params.ts';

/** A dispatch's WGSL made ready for a device. */
export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Fields of the uniform at binding `operands.length`; null where the parameters are baked in or absent. */
  readonly uniform: readonly ParamField[] | null;
}

interface Layout {
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

interface PipelineOptions {
  /** Parameters as WGSL constants, where they allow it: faster kernels, but more of them. Otherwise they are uniforms. */
  readonly bake: boolean;
  /** Is shown the WGSL of everything compiled. */
  readonly onCompile?: (label: string, code: string) => void;
}

/** Compiles WGSL once per (code, constants, bindings) and keeps the result for the device's life. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #counters: Counters;
  readonly #options: PipelineOptions;
  readonly #compiled = new Map<string, Promise<Compiled>>();
  readonly #layouts = new Map<string, Layout>();
  readonly #elements = new Map<string, ReadonlyMap<number, string>>();

  constructor(device: GPUDevice, counters: Counters, options: PipelineOptions) {
    this.#device = device;
    this.#counters = counters;
    this.#options = options;
  }

  /**
   * One entry per dispatch; what is not yet known compiles in parallel. Throws an Error that shows the WGSL line, or names
   * the parameter that does not match the WGSL's struct, and a TypeError for an operand of a type that the WGSL does not take.
   */
  async prepare(dispatches: readonly Dispatch[]): Promise<Compiled[]> {
    for (const dispatch of dispatches) checkElements(dispatch, this.#elementsOf(dispatch));
    return Promise.all(dispatches.map((dispatch) => this.#get(dispatch)));
  }

  #elementsOf({ code }: Dispatch): ReadonlyMap<number, string> {
    const known = this.#elements.get(code);
    if (known !== undefined) return known;
    const types = elementTypes(code);
    this.#elements.set(code, types);
    return types;
  }

  #get(dispatch: Dispatch): Promise<Compiled> {
    const key = keyOf(dispatch, this.#options.bake);
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const compiled = this.#compile(dispatch);
    this.#compiled.set(key, compiled);
    return compiled;
  }

  async #compile(dispatch: Dispatch): Promise<Compiled> {
    const { label, constants } = dispatch;
    const { bake } = this.#options;
    const code = bake && hasParams(dispatch) ? bakeParams(dispatch) : dispatch.code;
    const uniform = bindsUniform(dispatch, bake) ? paramFields(dispatch) : null;
    this.#options.onCompile?.(label, code);
    const layout = this.#layout(label, bindingsOf(dispatch, uniform !== null));
    const module = await this.#module(label, code);
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        label,
        layout: layout.pipeline,
        compute: { module, entryPoint: 'main', ...(constants && { constants }) },
      });
      this.#counters.pipelinesCreated++;
      return { pipeline, layout: layout.group, uniform };
    } catch (cause) {
      throw new Error(`${label} does not compile: ${messageOf(cause)}`, { cause });
    }
  }

  async #module(label: string, code: string): Promise<GPUShaderModule> {
    this.#device.pushErrorScope('validation');
    const module = this.#device.createShaderModule({ label, code });
    this.#counters.shaderModulesCreated++;
    const [invalid, info] = await Promise.all([this.#device.popErrorScope(), module.getCompilationInfo()]);
    // Looked at in every profile: without validation, a pipeline of an invalid shader ends the process.
    const error = info.messages.find(({ type }) => type === 'error');
    if (error !== undefined) throw new Error(describeError(label, code, error));
    if (invalid !== null) throw new Error(`${label} does not compile: ${invalid.message}`);
    return module;
  }

  /** Explicit rather than 'auto', so that a binding the WGSL happens not to use does no harm. */
  #layout(label: string, bindings: string): Layout {
    const known = this.#layouts.get(bindings);
    if (known !== undefined) return known;
    const limit = this.#device.limits.maxStorageBuffersPerShaderStage;
    const count = bindings.replace(/[ u]/g, '').length;
    if (count > limit)
      throw new RangeError(
        `${label} binds ${count} storage buffers, this device at most ${limit}: ask for maxStorageBuffersPerShaderStage in ` +
          `requestDevice, as Device.descriptor(adapter) does`,
      );
    const entries = bindings
      .split('')
      .flatMap((kind, binding): GPUBindGroupLayoutEntry[] =>
        kind === ' '
          ? []
          : [{ binding, visibility: SHADER_STAGE_COMPUTE, buffer: { type: bufferType(kind) } }],
      );
    const group = this.#device.createBindGroupLayout({ label: bindings, entries });
    const pipeline = this.#device.createPipelineLayout({ label: bindings, bindGroupLayouts: [group] });
    const layout = { group, pipeline };
    this.#layouts.set(bindings, layout);
    return layout;
  }
}

/** Number of pipelines that the dispatches need, on a device that compiles parameters in (`baked`) or not. */
export const countPipelines = (dispatches: readonly Dispatch[], baked: boolean): number =>
  new Set(dispatches.map((dispatch) => keyOf(dispatch, baked))).size;

/** Says which dispatches share a pipeline, without work on the WGSL: this runs for every dispatch of every plan. */
function keyOf(dispatch: Dispatch, bake: boolean): string {
  const constants = Object.entries(dispatch.constants ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const params = Object.entries(dispatch.params ?? {}).map(([name, param]) =>
    bake && canBake(param) ? `${name}:${param.type}:${param.value}` : `${name}:${param.type}`,
  );
  return `${bindingsOf(dispatch, bindsUniform(dispatch, bake))}\n${constants.join(' ')}\n${params.join(' ')}\n${dispatch.code}`;
}

const bindsUniform = (dispatch: Dispatch, bake: boolean): boolean =>
  bake ? hasUniform(dispatch) : hasParams(dispatch);

/** One letter a binding: r for storage read, w written, u for the uniform, a space where nothing is bound. */
function bindingsOf(dispatch: Dispatch, bindsParams: boolean): string {
  const operands = dispatch.operands.map(({ access }) => (access === 'read' ? 'r' : 'w')).join('');
  const params = hasParams(dispatch) ? (bindsParams ? 'u' : ' ') : '';
  return operands + params + (dispatch.usesScalars ? 'r' : '');
}

function bufferType(kind: string): GPUBufferBindingType {
  if (kind === 'u') return 'uniform';
  return kind === 'r' ? 'read-only-storage' : 'storage';
}

/** The compiler's message with the offending line and two lines on either side. */
function describeError(label: string, code: string, error: GPUCompilationMessage): string {
  const first = Math.max(1, error.lineNum - 2);
  const lines = code.split('\n').slice(first - 1, error.lineNum + 2);
  const shown = lines.map((line, i) => {
    const number = first + i;
    return `${number === error.lineNum ? '>' : ' '} ${String(number).padStart(4)} | ${line}`;
  });
  return `${label} does not compile: line ${error.lineNum}:${error.linePos}: ${error.message}\n${shown.join('\n')}`;
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
