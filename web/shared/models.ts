// The models that the page keeps between visits, in the browser's own file system (OPFS), and which one is in use.

const FOLDER = 'models';
const CHOSEN = 'wavelight-model';

async function folder(): Promise<FileSystemDirectoryHandle> {
  const storage = (navigator as Partial<Navigator>).storage;
  if (storage?.getDirectory === undefined)
    throw new Error('This browser keeps no files for pages: download the model instead.');
  return (await storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
}

/** Names of the kept models, sorted. Empty where the browser keeps no files. */
export async function keptModels(): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const name of (await folder()).keys())
      if (name.endsWith('.safetensors')) found.push(name.slice(0, -'.safetensors'.length));
  } catch {
    return [];
  }
  return found.sort();
}

/** The kept model of this name. Throws an Error if there is none. */
export async function keptModel(name: string): Promise<File> {
  const handle = await (await folder()).getFileHandle(fileName(name)).catch(() => null);
  if (handle === null) throw new Error(`The model ${name} is not kept here any more.`);
  return handle.getFile();
}

/** Keeps a model, in the place of one of the same name: the file changes when all is written, or not at all. */
export async function keepModel(name: string, model: Blob): Promise<void> {
  const handle = await (await folder()).getFileHandle(fileName(name), { create: true });
  const writer = await handle.createWritable();
  try {
    await writer.write(model);
    await writer.close();
  } catch (error) {
    await writer.abort().catch(() => undefined);
    throw new Error(`The model ${name} cannot be kept: the browser's space for this page may be full.`, {
      cause: error,
    });
  }
}

export async function forgetModel(name: string): Promise<void> {
  await (await folder()).removeEntry(fileName(name));
  if (chosenModel() === name) chooseModel(null);
}

/** Name of the kept model that the pages use; null for the one that comes with the site. */
export function chosenModel(): string | null {
  return localStorage.getItem(CHOSEN);
}

export function chooseModel(name: string | null): void {
  if (name === null) localStorage.removeItem(CHOSEN);
  else localStorage.setItem(CHOSEN, name);
}

/** Names become file names: what a file system could not hold is replaced. */
const fileName = (name: string): string => `${name.replaceAll(/[^\p{L}\p{N} ._-]/gu, '_')}.safetensors`;
