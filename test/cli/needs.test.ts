import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { NEEDS } from '../../src/cli/needs.ts';
import { installCommand, missingMessage, missingPackages, PACKAGES } from '../../src/node/packages.ts';

const src = join(import.meta.dirname, '..', '..', 'src');

const known = new Map<string, readonly string[]>();

/** Specifiers of what a file imports before it runs, types left out. */
function staticImports(file: string): readonly string[] {
  const found = known.get(file) ?? findImports(file);
  known.set(file, found);
  return found;
}

function findImports(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  return source.statements.flatMap((statement) => {
    if (
      ts.isImportDeclaration(statement) &&
      statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
    )
      return [];
    if (ts.isExportDeclaration(statement) && statement.isTypeOnly) return [];
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    return moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier) ? [moduleSpecifier.text] : [];
  });
}

/** Packages that loading a file loads. */
function packagesOf(entry: string): string[] {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const name of staticImports(file)) {
      if (name.endsWith('.ts')) visit(resolve(dirname(file), name));
      else if (!/^(node:|\.)/.test(name)) packages.add(name);
    }
  };
  visit(entry);
  // The only dependency that the build carries with it.
  packages.delete('fft.js');
  return [...packages].sort();
}

describe('what commands need', () => {
  it('is checked by a front that needs nothing', () => {
    expect(packagesOf(join(src, 'cli', 'main.ts'))).toEqual([]);
    expect(packagesOf(join(src, 'cli', 'program.ts'))).toEqual(['commander']);
  });

  it.each(Object.entries(NEEDS))('names all that loading %s loads', (name, needs) => {
    const listed: readonly string[] = ['commands' as const, ...needs].flatMap(
      (need): readonly string[] => PACKAGES[need],
    );
    const loaded = packagesOf(join(src, 'cli', `${name}.ts`));
    expect(loaded).toContain('commander');
    expect(loaded.filter((found) => !listed.includes(found))).toEqual([]);
  });

  it('is all there in the repository', () => {
    expect(missingPackages('commands', 'progress', 'pictures', 'media', 'reports', 'device')).toEqual([]);
  });

  it('is said in one sentence', () => {
    expect(missingMessage('it', ['a'])).toBe('it needs the package a, which is not installed: npm ci');
    expect(missingMessage('it', ['a', 'b', 'c'])).toBe(
      'it needs the packages a, b and c, which are not installed: npm ci',
    );
    expect(installCommand(['a'])).toBe('npm ci');
  });
});
