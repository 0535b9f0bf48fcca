// The page of worker.ts: npm run build && npx vite examples/worker

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
const lines = document.querySelector('ol') as HTMLElement;
const add = (text: string): void => {
  lines.append(Object.assign(document.createElement('li'), { textContent: text }));
};
worker.addEventListener('message', ({ data }: MessageEvent<{ step: number; loss: number; device: string }>) =>
  add(`step ${data.step}: loss ${data.loss.toFixed(4)} on ${data.device}`),
);
worker.addEventListener('error', ({ message }) => add(message));
