#!/usr/bin/env node
// Runs the command line: from src/ in a checkout (Node strips the types), from dist/ when installed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { constants, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src', 'cli', 'main.ts');
const inCheckout = existsSync(source);
const [major, minor] = process.versions.node.split('.').map(Number);

if (inCheckout && (major < 22 || (major === 22 && minor < 18))) {
  // The pinned Node runs TypeScript; the one that started this does not.
  let node;
  try {
    node = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');
  } catch {
    console.error(
      `wavelight: Node ${process.versions.node} does not run TypeScript: run npm ci, which brings one that does`,
    );
    process.exit(1);
  }
  const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  // Through the channel the child learns of the end of this process, however it came.
  const child = spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  // A signal to this process alone is passed on. Ctrl-C reaches both, and the child takes the two for one. It decides when it ends.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) =>
    process.exit(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0)),
  );
} else {
  // The process above has ended: stop as by SIGTERM. Before the command runs there is nothing to save.
  if (process.connected === false) process.exit(128 + constants.signals.SIGTERM);
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
  // The next start finds its code compiled, without types. Node says nothing if the folder cannot be written.
  module.enableCompileCache?.(
    join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'wavelight', 'compiled'),
  );
  if (inCheckout) await import('./wgsl.js');
  const main = inCheckout ? source : join(root, 'dist', 'cli.js');
  await import(pathToFileURL(main).href).catch((error) => {
    if (!inCheckout || error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.error(`wavelight: ${error.message}: run npm ci`);
    process.exit(1);
  });
}
