// Starts and ends the worker that runs the code. There is one at a time.

import type { News, Order } from './protocol.ts';

let worker: Worker | null = null;

/** Gives a new worker an order, after ending the one before. `tell` hears of it until it is stopped: its picture needs it. */
export function start(order: Order, tell: (news: News) => void, transfer: Transferable[] = []): void {
  stop();
  const mine = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker = mine;
  mine.addEventListener('message', ({ data }: MessageEvent<News>) => {
    if (worker === mine) tell(data);
  });
  mine.addEventListener('error', (event) => {
    if (worker !== mine) return;
    const message = event.message || 'The thread of the code could not be started: load the page again.';
    tell({ kind: 'problem', message, line: null, syntax: false });
    tell({ kind: 'done' });
  });
  mine.postMessage(order, transfer);
}

/** Ends what runs, whatever it does. */
export function stop(): void {
  worker?.terminate();
  worker = null;
}
