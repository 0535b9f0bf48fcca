import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { circlesIn, importsOf } from './support/imports.ts';

const root = join(import.meta.dirname, '..', 'src');

/** The classifier's folders that run in a browser, each of which imports only those before it. */
const AVSC = [
  'audio',
  'dataset',
  'features',
  'augment',
  'synth',
  'models',
  'weights',
  'experiment',
  'training',
  'classifier',
].map((name) => `avsc/${name}`);

/**
 * What each folder or file of src/ may import beside itself. The longest path that leads to a file counts; a folder on the
 * right stands for all that is below it. Types count as imports.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  gpu: [],
  kernels: ['gpu'],
  'tensor/graph': ['gpu', 'kernels'],
  'tensor/ops': ['gpu', 'kernels', 'tensor/graph'],
  'tensor/plan': ['gpu', 'kernels', 'tensor/graph', 'tensor/ops'],
  'tensor/runtime': ['gpu', 'kernels', 'tensor/graph', 'tensor/ops', 'tensor/plan'],
  tensor: ['gpu', 'kernels', 'tensor'],
  nn: ['gpu', 'kernels', 'tensor'],
  inspect: ['gpu', 'tensor'],
  node: ['gpu', 'tensor', 'nn'],
  ...Object.fromEntries(
    AVSC.map((folder, i) => [folder, ['gpu', 'kernels', 'tensor', 'nn', ...AVSC.slice(0, i)]]),
  ),
  'avsc/index.ts': AVSC,
  'avsc/node/data': ['tensor', 'nn', 'node', ...AVSC],
  'avsc/node/weights': ['nn', 'node', ...AVSC],
  'avsc/node/fetch': ['node', ...AVSC],
  'avsc/node/runs': [
    'tensor',
    'nn',
    'node',
    ...AVSC,
    'avsc/node/data',
    'avsc/node/weights',
    'avsc/node/report',
  ],
  'avsc/node/experiments': ['node', ...AVSC],
  'avsc/node/report': ['node', ...AVSC],
  'avsc/node/tables': ['tensor', 'nn', 'node', ...AVSC, 'avsc/node'],
  'avsc/node/training': ['tensor', 'nn', 'node', ...AVSC, 'avsc/node'],
  cli: ['gpu', 'tensor', 'nn', 'node', 'avsc', '../bench'],
  'index.ts': ['gpu', 'tensor', 'nn'],
  'pixels.ts': ['tensor'],
  'inspect.ts': ['gpu', 'tensor', 'inspect'],
  'node.ts': ['index.ts', 'pixels.ts', 'node'],
  'deno.ts': ['index.ts', 'pixels.ts', 'node'],
};

const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.split(sep).join('/'))
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'));

/** The files that each file imports, types included, by their paths from src/. */
const imports = new Map(
  files.map((from) => {
    const named = importsOf(readFileSync(join(root, from), 'utf8')).filter((to) => /^\..*\.ts$/.test(to));
    const paths = named.map((to) => relative(root, join(root, dirname(from), to)));
    return [from, paths.map((path) => path.split(sep).join('/'))] as const;
  }),
);

const isIn = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

const ruleFor = (path: string): string | undefined =>
  Object.keys(MAY_IMPORT)
    .filter((folder) => isIn(path, folder))
    .sort((a, b) => b.length - a.length)[0];

function mayImport(from: string, to: string): boolean {
  const rule = ruleFor(from);
  if (rule === undefined) return false;
  return rule === ruleFor(to) || (MAY_IMPORT[rule] ?? []).some((folder) => isIn(to, folder));
}

describe('architecture', () => {
  it('sees every kind of import', () => {
    const text = `
      import { a } from './value.ts';
      import type { B } from './type.ts';
      import './effect.ts';
      export * from './all.ts';
      export type { C } from './exported_type.ts';
      const d = () => import('./lazy.ts');
      let e: import('./inline.ts').E;
      declare module './augmented.ts' {}
      const text = "import './text.ts'"; // import './comment.ts'
    `;
    const names = ['value', 'type', 'effect', 'all', 'exported_type', 'lazy', 'inline', 'augmented'];
    expect(importsOf(text)).toEqual(names.map((name) => `./${name}.ts`));
  });

  it('sees circles', () => {
    const graph = { a: ['b'], b: ['c', 'd'], c: ['b'], d: ['e'], e: [], f: ['f', 'a'] };
    expect(circlesIn(new Map(Object.entries(graph)))).toEqual([['b', 'c'], ['f']]);
  });

  it('finds the sources and their imports', () => {
    expect(files.length).toBeGreaterThan(200);
    expect([...imports.values()].flat().length).toBeGreaterThan(800);
  });

  it('imports go one way', () => {
    const back = [...imports].flatMap(([from, named]) =>
      named.filter((to) => !mayImport(from, to)).map((to) => `${from} -> ${to}`),
    );
    expect(back).toEqual([]);
  });

  it('has no circle of files', () => {
    expect(circlesIn(imports)).toEqual([]);
  });

  it('keeps Node out of what runs in a browser', () => {
    const guarded = files.filter(
      (path) => /^(gpu|kernels|tensor|nn|inspect|avsc|index)\b/.test(path) && !path.startsWith('avsc/node/'),
    );
    const offences = guarded.filter((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      return /from 'node:|import\('node:|\bprocess\.\w|\bBuffer\.(from|alloc)/.test(text);
    });
    expect(offences).toEqual([]);
  });

  it('takes the ops with which fusion begins from where they bring it along', () => {
    const fusing =
      /^import \{[^}]*\b(concat|stack|batchNorm2d|avgPool2d|adaptiveAvgPool2d)\b[^}]*\} from '(.*\/ops\/\w+\.ts)'/gm;
    const offences = files
      .filter((path) => path !== 'tensor/fusing_ops.ts')
      .flatMap((path) =>
        [...readFileSync(join(root, path), 'utf8').matchAll(fusing)].map(([, op = '']) => `${path}: ${op}`),
      );
    expect(offences).toEqual([]);
  });
});
