import type { Plugin } from 'vite';

/** Plugin of vite, vitest and rolldown that imports a .wgsl file as text, as bin/wgsl.js does for Node. */
export function wgsl(): Plugin {
  return {
    name: 'wgsl-as-text',
    enforce: 'pre',
    transform(code, id) {
      return id.endsWith('.wgsl') ? { code: `export default ${JSON.stringify(code)};`, map: null } : null;
    },
  };
}
