import type { Plugin } from 'vite';

/**
 * Plugin of vite, vitest and rolldown that imports a .wgsl file as text, as bin/wgsl.js does for Node. `small` leaves comments
 * and needless spaces out, for what is shipped.
 */
export function wgsl({ small = false }: { readonly small?: boolean } = {}): Plugin {
  return {
    name: 'wgsl-as-text',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith('.wgsl')) return null;
      return { code: `export default ${JSON.stringify(small ? squeezed(code) : code)};`, map: null };
    },
  };
}

/** WGSL has no strings, so that every `//` starts a comment; `//#` starts a line of the template step. */
const squeezed = (code: string): string =>
  code
    .replace(/[ \t]*\/\/(?!#).*$/gm, '')
    .replace(/^[ \t]+/gm, '')
    .replace(/\n{2,}/g, '\n')
    // Lines stay lines. Not around `-`, `*`, `/` and `&`, two of which may be one token.
    .replace(/^(?!\/\/#).*$/gm, (line) => line.replace(/ ?(->|[=,;:{}()+<>%|!]) ?/g, '$1'));
