#!/usr/bin/env node
// Runs the command line: from src/ in a checkout (Node strips the types), from dist/ when installed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
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
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  // Ctrl-C reaches both; what is sent to this process alone is passed on. The child decides when it ends.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) =>
    process.exit(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0)),
  );
} else {
  if (inCheckout) await import('./wgsl.js');
  const main = inCheckout ? source : join(root, 'dist', 'cli.js');
  await import(pathToFileURL(main).href).catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.error(`wavelight: ${error.message}: install wavelight with its optional dependencies (npm ci)`);
    process.exit(1);
  });
}
