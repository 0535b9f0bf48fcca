// The same for vite, vitest and rolldown: a .wgsl import is its text.
/** @returns {{ name: string, enforce: 'pre', transform(code: string, id: string): { code: string, map: null } | null }} */
export function wgsl() {
  return {
    name: 'wgsl-as-text',
    enforce: 'pre',
    transform(code, id) {
      return id.endsWith('.wgsl') ? { code: `export default ${JSON.stringify(code)};`, map: null } : null;
    },
  };
}
