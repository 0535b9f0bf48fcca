import type { Need } from '../node/packages.ts';

/** The commands with the packages that they need beside those of the program itself. A package that only one option needs is not among them. */
export const NEEDS = {
  train: ['progress', 'pictures', 'media', 'reports', 'device'],
  reproduce: ['progress', 'pictures', 'media', 'reports', 'device'],
  prepare: ['progress', 'pictures', 'media'],
  eval: ['progress', 'pictures', 'media', 'reports', 'device'],
  predict: ['progress', 'pictures', 'media', 'device'],
  export: ['progress', 'pictures', 'device'],
  inspect: [],
  import: [],
  classify: ['progress', 'pictures', 'device'],
  'fetch-weights': ['progress', 'pictures'],
  features: ['pictures', 'media'],
  augment: ['pictures', 'media'],
  bench: ['progress', 'pictures', 'device'],
  doctor: [],
} as const satisfies Readonly<Record<string, readonly Need[]>>;

export type CommandName = keyof typeof NEEDS;

export const isCommand = (name: string): name is CommandName => Object.hasOwn(NEEDS, name);
