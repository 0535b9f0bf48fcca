/// <reference types="vite/client" />

// Starts the site's service worker, which the build alone makes.

if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  const root = document.querySelector<HTMLMetaElement>('meta[name="root"]')?.content ?? './';
  // Without it the site works, but with a network only.
  navigator.serviceWorker.register(new URL(`${root}sw.js`, document.baseURI)).catch(() => undefined);
}
