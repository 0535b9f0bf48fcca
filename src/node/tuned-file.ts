/*
 * What was measured of an adapter, kept in the cache folder: one JSON file for each adapter and driver. A choice only decides how fast a
 * kernel is and how its sums are rounded: kernels check it before they take it, so a file can do no more harm than to be slow.
 */
import { createHash } from 'node:crypto';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NOTHING_TUNED, type ChoiceRecord, type Tuned, type TunedProduct } from '../gpu/tuned.ts';
import { checkOutput, errorCode, makeFolder, messageOf, readSmallFile, writeFileAtomic } from './files.ts';
import { cacheFolders } from './swiftshader.ts';

/** To be increased when the file changes. */
const VERSION = 1;
/** The nets of this project have some hundred problems of half a kilobyte each. */
const MOST_BYTES = 32 * 2 ** 20;
const MOST_PRODUCTS = 50_000;
/** No adapter has more. */
const MOST_MULTIPROCESSORS = 65536;

/** Who made the adapter, what it is, and which driver runs it. */
type Adapter = Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description'>;

const FIELDS = ['vendor', 'architecture', 'device', 'description'] as const;

const identityOf = (adapter: Adapter): string[] => FIELDS.map((field) => adapter[field]);

/** The adapter's file in the preferred cache folder. */
export function tunedPath(adapter: Adapter): string {
  const [cache = ''] = cacheFolders();
  const name = (adapter.device || adapter.description || adapter.vendor).toLowerCase();
  const slug = name
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40);
  const hash = createHash('sha256')
    .update(JSON.stringify(identityOf(adapter)))
    .digest('hex')
    .slice(0, 12);
  return join(cache, 'wavelight', 'tuned', `${slug || 'adapter'}-${hash}.json`);
}

interface TunedFile {
  readonly tuned: Tuned;
  /** What is wrong with the file; null if nothing is, or it is not there. */
  readonly problem: string | null;
}

/** Reads what was measured. A file that does not exist, or that cannot be made sense of, tells nothing. */
export async function readTuned(path: string, adapter: Adapter | null): Promise<TunedFile> {
  try {
    const text = (await readSmallFile(path, MOST_BYTES)).toString('utf8');
    return { tuned: parseTuned(text, adapter), problem: null };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { tuned: NOTHING_TUNED, problem: null };
    return { tuned: NOTHING_TUNED, problem: `${path} holds no tuned choices: ${messageOf(error)}` };
  }
}

/** Throws an Error that says what is wrong. `adapter`: whose measurements they must be; null for any. */
function parseTuned(text: string, adapter: Adapter | null): Tuned {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (cause) {
    throw new Error('it is not JSON', { cause });
  }
  if (!isRecord(file)) throw new Error('it is no object');
  const { version, adapter: measured, multiprocessors, products } = file;
  if (version !== VERSION) throw new Error(`its version is ${show(version)}, this program reads ${VERSION}`);
  if (adapter !== null && JSON.stringify(measured) !== JSON.stringify(identityOf(adapter)))
    throw new Error(`it is of another adapter (${show(measured)})`);
  const isCount =
    Number.isInteger(multiprocessors) &&
    Number(multiprocessors) >= 1 &&
    Number(multiprocessors) <= MOST_MULTIPROCESSORS;
  if (multiprocessors !== null && !isCount)
    throw new Error(
      `multiprocessors is ${show(multiprocessors)}, not a number from 1 to ${MOST_MULTIPROCESSORS}`,
    );
  if (!isRecord(products)) throw new Error('products is no object');
  const entries = Object.entries(products);
  if (entries.length > MOST_PRODUCTS) throw new Error(`it has ${entries.length} products`);
  return {
    multiprocessors: multiprocessors === null ? null : Number(multiprocessors),
    products: new Map(entries.map(([key, value]) => [key, parseProduct(key, value)])),
  };
}

function parseProduct(key: string, value: unknown): TunedProduct {
  const { choice, wgsl, rivals, usualMilliseconds, milliseconds } = isRecord(value) ? value : {};
  const isChoice =
    isRecord(choice) &&
    Object.values(choice).every((field) => ['string', 'number', 'boolean'].includes(typeof field));
  const isHash = (text: unknown): text is string => typeof text === 'string' && /^[0-9a-f]{16}$/.test(text);
  if (
    !isChoice ||
    !isHash(wgsl) ||
    !isHash(rivals) ||
    typeof usualMilliseconds !== 'number' ||
    typeof milliseconds !== 'number'
  )
    throw new Error(`its product ${show(key)} is none`);
  return { choice: choice as ChoiceRecord, wgsl, rivals, usualMilliseconds, milliseconds };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function show(value: unknown): string {
  const text = value === undefined ? 'missing' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** Text of a file, with products in the order of their keys, so that equal measurements are equal files. */
function formatTuned({ multiprocessors, products }: Tuned, adapter: Adapter | null): string {
  const sorted = [...products].sort(([a], [b]) => (a < b ? -1 : 1));
  const file = {
    version: VERSION,
    adapter: adapter === null ? null : identityOf(adapter),
    multiprocessors,
    products: Object.fromEntries(sorted),
  };
  return `${JSON.stringify(file, null, 1)}\n`;
}

/** Writes measurements to a file of their own. Throws a StorageError of one sentence. */
export const writeTuned = (path: string, tuned: Tuned): Promise<void> =>
  writeFileAtomic(path, formatTuned(tuned, null));

/**
 * Adds measurements to the adapter's file, whatever other processes add to it meanwhile, and gives all that it holds. Throws a
 * StorageError of one sentence.
 */
export async function addTuned(
  path: string,
  adapter: Adapter,
  { multiprocessors, products }: Tuned,
): Promise<Tuned> {
  await checkOutput(path);
  return withLock(`${path}.lock`, async () => {
    const { tuned } = await readTuned(path, adapter);
    const all = {
      multiprocessors: multiprocessors ?? tuned.multiprocessors,
      products: new Map([...tuned.products, ...products]),
    };
    await writeFileAtomic(path, formatTuned(all, adapter));
    return all;
  });
}

/** A file takes some milliseconds to write: who held the lock for longer has died. */
const STALE_MS = 5000;

async function withLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
  await makeFolder(join(lock, '..'));
  for (;;) {
    try {
      await (await open(lock, 'wx')).close();
      break;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      const age = await stat(lock).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (age > STALE_MS) await rm(lock, { force: true });
      else await sleep(10 + 20 * Math.random());
    }
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}
