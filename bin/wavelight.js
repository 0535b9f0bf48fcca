#!/usr/bin/env node
// Runs the command line: from src/ in a checkout (Node strips the types), from dist/ when installed.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
  const { status, signal } = spawnSync(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  if (signal) process.kill(process.pid, signal);
  process.exit(status ?? 1);
} else if (inCheckout) {
  await import('./wgsl.js');
  await import(source);
} else {
  await import(join(root, 'dist', 'cli.js'));
}
