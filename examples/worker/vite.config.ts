import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

// Inside the repository the package is what `npm run build` has made; where it is installed, this file is not needed.
const wavelight = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

export default defineConfig({ resolve: { alias: { wavelight } }, worker: { format: 'es' } });
