import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { makeFolder, messageOf } from './files.ts';
import { requirePackages } from './packages.ts';

/** Files of the archive that a Vulkan application needs: the driver, its manifest, the loader. */
const DRIVER = 'libvk_swiftshader.so';
const MANIFEST = 'vk_swiftshader_icd.json';
const LOADER = 'libvulkan.so.1';

interface SwiftShader {
  readonly manifest: string;
  readonly loader: string;
}

/**
 * SwiftShader, the Vulkan device in software that @sparticuz/chromium ships, unpacked into the cache folder on
 * first use (15 MB). Several processes may do so at once: each unpacks to its own folder, and the first rename wins.
 * Throws an Error if the package is missing, the machine is not x64 Linux or no cache folder is writable.
 */
export async function unpackSwiftShader(): Promise<SwiftShader> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`SwiftShader comes for x64 Linux only, this is ${process.arch} ${process.platform}`);
  }
  const archive = findArchive();
  const problems: string[] = [];
  for (const cache of cacheFolders()) {
    try {
      const folder = await unpackInto(
        archive.path,
        join(cache, 'wavelight'),
        `swiftshader-${archive.version}`,
      );
      return { manifest: join(folder, MANIFEST), loader: join(folder, LOADER) };
    } catch (cause) {
      problems.push(`${cache}: ${messageOf(cause)}`);
    }
  }
  throw new Error(
    `cannot unpack SwiftShader (${problems.join('; ')}): set XDG_CACHE_HOME to a folder that can be written`,
  );
}

/** Possible cache folders, in order of preference. */
export function cacheFolders(): string[] {
  const { XDG_CACHE_HOME } = process.env;
  return [...(XDG_CACHE_HOME ? [XDG_CACHE_HOME] : []), join(homedir(), '.cache'), tmpdir()];
}

/** Throws an Error of one sentence if the package is missing. */
function findArchive(): { path: string; version: string } {
  requirePackages('the software adapter', 'device');
  const require = createRequire(import.meta.url);
  const root = join(dirname(require.resolve('@sparticuz/chromium')), '..', '..');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { path: join(root, 'bin', 'swiftshader.tar.br'), version };
}

async function unpackInto(archive: string, parent: string, name: string): Promise<string> {
  const folder = join(parent, name);
  if (existsSync(folder)) return folder;
  const temporary = join(parent, `.${name}-${randomUUID()}`);
  await makeFolder(temporary);
  try {
    const tar = brotliDecompressSync(readFileSync(archive));
    for (const file of [DRIVER, MANIFEST, LOADER]) writeFileSync(join(temporary, file), tarEntry(tar, file));
    renameSync(temporary, folder);
  } catch (cause) {
    // Another process was faster, and its folder has the same contents.
    if (!existsSync(folder)) throw cause;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}

/** A file's bytes in a tar archive: headers of 512 bytes with the name at 0 and the octal size at 124. */
function tarEntry(tar: Buffer, name: string): Buffer {
  const text = (at: number, length: number): string =>
    tar.toString('latin1', at, at + length).replace(/[\0 ].*$/s, '');
  for (let at = 0; at + 512 <= tar.length;) {
    const size = Number.parseInt(text(at + 124, 12) || '0', 8);
    if (text(at, 100).replace(/^\.\//, '') === name) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`the archive holds no ${name}`);
}
