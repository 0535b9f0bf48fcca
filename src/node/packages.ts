// The packages of npm that parts of this one need in Node. None is installed with it: an app installs those that it uses.

import { createRequire } from 'node:module';

/** What Dawn needs where the machine has no adapter of its own: SwiftShader, and a way to load it. x64 Linux only. */
const SOFTWARE = ['koffi', '@sparticuz/chromium'] as const;

const hasSoftware = process.platform === 'linux' && process.arch === 'x64';

/** Packages by what needs them. */
export const PACKAGES = {
  device: ['webgpu', ...(hasSoftware ? SOFTWARE : [])],
  hardware: ['webgpu'],
  commands: ['commander'],
  progress: ['cli-progress'],
  pictures: ['sharp'],
  media: ['mediabunny', '@mediabunny/server', 'node-av'],
  reports: ['@observablehq/plot', 'd3'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Need = keyof typeof PACKAGES;

export const ALL_NEEDS = Object.keys(PACKAGES) as readonly Need[];

/** Names of all packages that something in Node needs. */
export const ALL_PACKAGES: readonly string[] = [...new Set(Object.values(PACKAGES).flat())];

/** Names of the packages that are needed and not installed where this one is. */
export function missingPackages(...needs: readonly Need[]): string[] {
  const names = needs.flatMap((need): readonly string[] => PACKAGES[need]);
  return [...new Set(names)].filter((name) => !isInstalled(name));
}

/** Throws an Error of one sentence that names every missing package and the command that installs them. */
export function requirePackages(what: string, ...needs: readonly Need[]): void {
  const missing = missingPackages(...needs);
  if (missing.length > 0) throw new Error(missingMessage(what, missing));
}

/** The sentence for packages that are missing. */
export function missingMessage(what: string, missing: readonly string[]): string {
  const [only, ...others] = missing;
  const named =
    others.length === 0
      ? `the package ${only ?? 'none'}, which is`
      : `the packages ${missing.slice(0, -1).join(', ')} and ${missing.at(-1) ?? ''}, which are`;
  return `${what} needs ${named} not installed: ${installCommand(missing)}`;
}

/** The command that installs packages of npm, for the program that runs this. */
export function installCommand(names: readonly string[]): string {
  // In a checkout of the repository they are all development dependencies.
  if (import.meta.url.endsWith('.ts')) return 'npm ci';
  if ('bun' in process.versions) return `bun add ${names.join(' ')}`;
  if ('deno' in process.versions) return `deno add ${names.map((name) => `npm:${name}`).join(' ')}`;
  return `npm install ${names.join(' ')}`;
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch (error) {
    // A package that only `import` may load is there all the same.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ERR_PACKAGE_PATH_NOT_EXPORTED';
  }
}
