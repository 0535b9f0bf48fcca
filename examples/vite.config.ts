import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

// Inside the repository the package is what `npm run build` has made; where it is installed, this file is not needed.
const dist = fileURLToPath(new URL('../dist/', import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^wavelight$/, replacement: `${dist}index.js` },
      { find: /^wavelight\/(\w+)$/, replacement: `${dist}$1.js` },
    ],
  },
  worker: { format: 'es' },
});
