// Starts the site's service worker. The build alone loads this (web/site.ts).

if ('serviceWorker' in navigator) {
  const root = document.querySelector<HTMLMetaElement>('meta[name="root"]')?.content ?? './';
  // Without it the site works, but with a network only.
  navigator.serviceWorker.register(new URL(`${root}sw.js`, document.baseURI)).catch(() => undefined);
}
