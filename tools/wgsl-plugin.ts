import type { Plugin } from 'vite';

/** For vite, vitest and rolldown what bin/wgsl.js is for Node: a .wgsl import is its text. */
export function wgsl(): Plugin {
  return {
    name: 'wgsl-as-text',
    enforce: 'pre',
    transform(code, id) {
      return id.endsWith('.wgsl') ? { code: `export default ${JSON.stringify(code)};`, map: null } : null;
    },
  };
}
