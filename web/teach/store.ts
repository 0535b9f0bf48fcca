// The places of the page, kept in the browser's own file system (OPFS): a file for each recording, and a list of the places.

import type { Modality, TaughtSecond } from 'wavelight/avsc';
import { decodeSeconds, encodeSeconds } from './seconds-file.ts';

export interface KeptRecording {
  readonly id: string;
  readonly name: string;
  readonly seconds: readonly TaughtSecond[];
}

export interface Place {
  readonly name: string;
  readonly recordings: KeptRecording[];
}

const FOLDER = 'taught';
const LIST = 'places.json';

/** The places that one model's extractors have heard and seen. */
export class Store {
  readonly #folder: FileSystemDirectoryHandle | null;

  private constructor(folder: FileSystemDirectoryHandle | null) {
    this.#folder = folder;
  }

  /**
   * Opens the places of the extractors with these keys, which others may have heard and seen too: a model that was taught by sound alone has
   * no picture net any more. Where the browser keeps no files, nothing outlives the page.
   */
  static async open(keys: ExtractorKeys): Promise<Store> {
    try {
      const root = await navigator.storage.getDirectory();
      const all = await root.getDirectoryHandle(FOLDER, { create: true });
      return new Store(await all.getDirectoryHandle(await folderOf(all, keys), { create: true }));
    } catch {
      return new Store(null);
    }
  }

  /** Whether what is added outlives the page. */
  get keeps(): boolean {
    return this.#folder !== null;
  }

  /** What was kept. A recording whose file is missing or damaged is left out. */
  async places(): Promise<Place[]> {
    const list = await this.#list();
    return Promise.all(
      list.map(async ({ name, recordings }) => {
        const found = await Promise.all(recordings.map((recording) => this.#read(recording)));
        return { name, recordings: found.filter((recording) => recording !== null) };
      }),
    );
  }

  /** Keeps a recording; `saveList` must follow. Throws an Error of one sentence if there is no space. */
  async keep({ id, seconds }: KeptRecording): Promise<void> {
    await this.#write(`${id}.safetensors`, encodeSeconds(seconds));
  }

  async forget(id: string): Promise<void> {
    await this.#folder?.removeEntry(`${id}.safetensors`).catch(() => undefined);
  }

  /** Keeps which places there are, and their recordings. */
  async saveList(places: readonly Place[]): Promise<void> {
    const list: ListedPlace[] = places.map(({ name, recordings }) => ({
      name,
      recordings: recordings.map(({ id, name: of }) => ({ id, name: of })),
    }));
    await this.#write(LIST, new TextEncoder().encode(JSON.stringify(list)));
  }

  async #list(): Promise<readonly ListedPlace[]> {
    try {
      const file = await (await this.#folder?.getFileHandle(LIST))?.getFile();
      return file === undefined ? [] : (JSON.parse(await file.text()) as ListedPlace[]);
    } catch {
      return [];
    }
  }

  async #read({ id, name }: ListedRecording): Promise<KeptRecording | null> {
    try {
      const file = await (await this.#folder?.getFileHandle(`${id}.safetensors`))?.getFile();
      if (file === undefined) return null;
      return { id, name, seconds: decodeSeconds(new Uint8Array(await file.arrayBuffer())) };
    } catch {
      return null;
    }
  }

  /** The file changes when all is written, or not at all. */
  async #write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#folder === null) return;
    const writer = await (await this.#folder.getFileHandle(name, { create: true })).createWritable();
    try {
      await writer.write(bytes);
      await writer.close();
    } catch (error) {
      await writer.abort().catch(() => undefined);
      throw new Error("The seconds cannot be kept: the browser's space for this page may be full.", {
        cause: error,
      });
    }
  }
}

type ExtractorKeys = Readonly<Partial<Record<Modality, string>>>;

/** The folder of just these extractors, or else one that has them too. */
async function folderOf(all: FileSystemDirectoryHandle, { audio, video }: ExtractorKeys): Promise<string> {
  const part = (key: string | undefined): string => key?.slice(0, 24) ?? 'none';
  const own = `${part(audio)}-${part(video)}`;
  const names: string[] = [];
  for await (const name of all.keys()) names.push(name);
  if (names.includes(own)) return own;
  const covers = (name: string): boolean => {
    const [sound, sight] = name.split('-');
    return (audio === undefined || sound === part(audio)) && (video === undefined || sight === part(video));
  };
  return names.sort().find(covers) ?? own;
}

interface ListedRecording {
  readonly id: string;
  readonly name: string;
}

interface ListedPlace {
  readonly name: string;
  readonly recordings: readonly ListedRecording[];
}
