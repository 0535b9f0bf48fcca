// The device and the model that a page works with. A lost device is opened again, with the same model.

import { Device, nn } from 'wavelight';
import { PlaceClassifier, SceneClassifier } from 'wavelight/avsc';
import { chooseModel, chosenModel, keptModel } from './models.ts';
import { explainProblem, say } from './page.ts';

/** The model that comes with the site, beside its pages. */
const SHIPPED = new URL('model.safetensors', document.baseURI);

/** Name of the model that comes with the site. */
export const SHIPPED_NAME = 'demo';

type Model = SceneClassifier | PlaceClassifier;

/** What a page does when its session changes. */
interface SessionHooks {
  /** The device is lost, or another model is being loaded: nothing can be judged until `onReady`. */
  readonly onWaiting: () => void;
  readonly onReady: () => void | Promise<void>;
}

interface ModelFile {
  readonly name: string;
  readonly source: File | URL;
  /** Of the classes, for published weights. */
  readonly classNames?: readonly string[];
}

export class Session {
  #device: Device;
  #model: Model | null = null;
  #file: ModelFile | null = null;
  #loading = new AbortController();
  readonly #hooks: SessionHooks;

  private constructor(device: Device, hooks: SessionHooks) {
    this.#device = device;
    this.#hooks = hooks;
  }

  /** Opens the device; `loadChosen` is what a page does next. Throws an Error of one sentence if there is no adapter. */
  static async open(hooks: SessionHooks): Promise<Session> {
    say('Opening the GPU …');
    const session = new Session(await Device.create(), hooks);
    session.#watch();
    return session;
  }

  get device(): Device {
    return this.#device;
  }

  /** Null while none is loaded. */
  get model(): Model | null {
    return this.#model;
  }

  /** Name of the model that is loaded; null while none is. */
  get modelName(): string | null {
    return this.#file?.name ?? null;
  }

  /** Loads the kept model that is chosen, or else the one that comes with the site. */
  async loadChosen(): Promise<void> {
    const name = chosenModel();
    if (name === null) return this.load({ name: SHIPPED_NAME, source: SHIPPED });
    try {
      await this.load({ name, source: await keptModel(name) });
    } catch (error) {
      chooseModel(null);
      await this.load({ name: SHIPPED_NAME, source: SHIPPED });
      throw error;
    }
  }

  /** Loads a model in the place of the one there is, which stays if this fails. Throws an Error of one sentence. */
  async load(file: ModelFile): Promise<void> {
    this.#loading.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#hooks.onWaiting();
    try {
      const model = await openModel(this.#device, file, {
        signal: loading.signal,
        onProgress: ({ loaded, total }) => say(`Loading the model ${file.name}: ${progress(loaded, total)}`),
      });
      this.#model?.dispose();
      this.#model = model;
      this.#file = file;
      // What the page says is true of what it shows.
      await this.#hooks.onReady();
      say(this.#readiness(file.name));
    } catch (error) {
      if (this.#model !== null) await this.#hooks.onReady();
      if (loading.signal.aborted || file.source instanceof File) throw error;
      throw new Error(
        `The model of this site could not be loaded (${explainProblem(error)}). Drop one here: a run's model.safetensors, or what "wavelight export RUN --format safetensors --all" writes.`,
        { cause: error },
      );
    }
  }

  #readiness(name: string): string {
    const { name: adapter, kind } = this.#device.description;
    const slow =
      kind === 'cpu'
        ? ' That is software, so a second takes longer: switch hardware acceleration on in the settings of the browser, if this machine has a GPU.'
        : '';
    return `Ready: the model ${name} runs on ${adapter}.${slow}`;
  }

  #watch(): void {
    const device = this.#device;
    void device.lost.then(async ({ reason }) => {
      if (this.#device !== device) return;
      this.#hooks.onWaiting();
      say(`The GPU was lost (${reason}). Opening it again …`, 'problem');
      this.#model = null;
      try {
        await device.destroy();
        this.#device = await Device.create();
        this.#watch();
        if (this.#file === null) await this.loadChosen();
        else await this.load(this.#file);
      } catch (error) {
        say(explainProblem(error), 'problem');
      }
    });
  }
}

/** A file that defines its nets is a SceneClassifier; any other must be published weights. */
async function openModel(
  device: Device,
  { source, classNames }: ModelFile,
  options: nn.OpenOptions,
): Promise<Model> {
  if (source instanceof URL) return SceneClassifier.load(device, source, options);
  const { metadata } = await nn.openCheckpoint(source, options);
  if (metadata.has('definition')) return SceneClassifier.load(device, source, options);
  return PlaceClassifier.load(device, source, { ...options, ...(classNames && { names: classNames }) });
}

const progress = (loaded: number, total: number | null): string =>
  total === null ? `${Math.round(loaded / 1024)} KiB` : `${Math.round((100 * loaded) / total)} %`;
