// The site's service worker: what was loaded once works without a network.

/** What TypeScript's types of pages lack. */
interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface WorkerScope {
  addEventListener(type: 'install' | 'activate', listener: (event: ExtendableEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
  readonly registration: { readonly scope: string };
}

const worker = self as unknown as WorkerScope;

/** Paths of the site's files, from the folder of this file; the build writes them in (`offline` in web/offline/plugin.ts). */
const FILES = JSON.parse('__FILES__') as readonly string[];
const PREFIX = 'wavelight ';
/** The build's hash: another build has a cache of its own. */
const CACHE = `${PREFIX}__VERSION__`;

worker.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => names.filter((name) => name.startsWith(PREFIX) && name !== CACHE))
      .then((old) => Promise.all(old.map((name) => caches.delete(name)))),
  );
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(worker.registration.scope)) return;
  const path = request.url.slice(worker.registration.scope.length);
  event.respondWith(FILES.includes(path) && request.mode !== 'navigate' ? listed(request) : newest(request));
});

/** Pages, and files that the build did not list: from the network, so that new ones are seen at once; without it, as they were last. */
async function newest(request: Request): Promise<Response> {
  try {
    const response = await fetch(request);
    if (response.status === 200) await keep(request, response.clone());
    return response;
  } catch (error) {
    const found = (await caches.match(request, { ignoreSearch: true })) ?? (await indexOf(request));
    if (found !== undefined) return found;
    throw error;
  }
}

/** A folder's address stands for its index.html. */
function indexOf({ url }: Request): Promise<Response | undefined> {
  return caches.match(new URL('index.html', url.split(/[?#]/)[0]));
}

/** Files that the build listed: from the cache, since their names change with their contents. */
async function listed(request: Request): Promise<Response> {
  const found = await caches.match(request.url);
  const range = request.headers.get('range');
  if (found !== undefined) return range === null ? found : part(found, range);
  return fetch(request);
}

/** Keeps an answer if there is room. */
async function keep(request: Request, response: Response): Promise<void> {
  await (await caches.open(CACHE)).put(request, response).catch(() => undefined);
}

/** The bytes that a Range header asks for. */
async function part(whole: Response, range: string): Promise<Response> {
  const blob = await whole.blob();
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  const headers = new Headers(whole.headers);
  if (first === undefined || Number(first) >= blob.size) {
    headers.set('content-range', `bytes */${blob.size}`);
    return new Response(null, { status: 416, headers });
  }
  const from = Number(first);
  const to = last ? Math.min(Number(last), blob.size - 1) : blob.size - 1;
  headers.set('content-range', `bytes ${from}-${to}/${blob.size}`);
  headers.set('content-length', String(to - from + 1));
  return new Response(blob.slice(from, to + 1), { status: 206, headers });
}
