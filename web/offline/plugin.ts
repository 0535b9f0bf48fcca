// Tells the service worker which files the build has made.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

const WORKER = 'sw.js';

/** Writes the names of all files, those of `publicFolder` included, and a hash of their contents into the service worker. */
export function offline(publicFolder: string): Plugin {
  return {
    name: 'offline',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const worker = bundle[WORKER];
      if (worker?.type !== 'chunk') throw new Error(`the build has no ${WORKER}`);
      const hash = createHash('sha256');
      const files: string[] = [];
      for (const [name, file] of Object.entries(bundle)) {
        if (name === WORKER) continue;
        files.push(name);
        hash.update(name).update(file.type === 'chunk' ? file.code : file.source);
      }
      for (const name of readdirSync(publicFolder)) {
        files.push(name);
        hash.update(name).update(readFileSync(join(publicFolder, name)));
      }
      worker.code = worker.code
        .replace('__FILES__', JSON.stringify(files.sort()))
        .replace('__VERSION__', hash.digest('hex').slice(0, 12));
    },
  };
}
