import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', 'src');

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.split(sep).join('/'))
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'));

const imports: Import[] = files.flatMap((from) => {
  const text = readFileSync(join(root, from), 'utf8');
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\s)?[^'"]*?from\s+['"]([^'"]+)['"]|^import\s+()['"]([^'"]+)['"]/gms,
  );
  return [...statements].map(([, type, named, , bare]) => ({
    from,
    to: named ?? bare ?? '',
    typeOnly: type !== undefined,
  }));
});

const internal = imports
  .filter(({ to }) => to.startsWith('.') && to.endsWith('.ts'))
  .map(({ from, to, typeOnly }) => ({
    from,
    to: relative(root, join(root, dirname(from), to))
      .split(sep)
      .join('/'),
    typeOnly,
  }));

/** What each folder of src/ may import, beside itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  gpu: [],
  kernels: ['gpu'],
  tensor: ['gpu', 'kernels'],
  nn: ['gpu', 'kernels', 'tensor'],
  node: ['gpu', 'tensor', 'nn'],
  avsc: ['gpu', 'tensor', 'nn'],
  'avsc/node': ['avsc', 'gpu', 'tensor', 'nn', 'node'],
  cli: ['avsc', 'avsc/node', 'bench', 'gpu', 'tensor', 'nn', 'node'],
};

function layerOf(path: string): string | null {
  if (path.startsWith('../bench/')) return 'bench';
  if (path.startsWith('avsc/node/')) return 'avsc/node';
  const [folder, rest] = path.split('/');
  return rest === undefined || folder === undefined ? null : folder;
}

describe('architecture', () => {
  it('finds the sources and their imports', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(internal.length).toBeGreaterThan(100);
  });

  it('imports go one way: gpu <- kernels <- tensor <- nn <- avsc <- cli', () => {
    const back = internal.filter(({ from, to }) => {
      const [a, b] = [layerOf(from), layerOf(to)];
      return a !== null && a !== b && (b === null || !(MAY_IMPORT[a] ?? []).includes(b));
    });
    expect(back.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it('has no circular imports', () => {
    const edges = Map.groupBy(
      internal.filter(({ typeOnly }) => !typeOnly),
      ({ from }) => from,
    );
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) {
        cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
        return;
      }
      if (done.has(file)) return;
      for (const { to } of edges.get(file) ?? []) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('keeps Node out of what runs in a browser', () => {
    const guarded = files.filter(
      (path) => /^(gpu|kernels|tensor|nn|avsc|index)\b/.test(path) && !path.startsWith('avsc/node/'),
    );
    const offences = guarded.filter((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      return /from 'node:|import\('node:|\bprocess\.\w|\bBuffer\.(from|alloc)/.test(text);
    });
    expect(offences).toEqual([]);
  });
});
