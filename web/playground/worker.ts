// Runs the code of the editor in a thread of its own, which the page can end at any time, and tells what happens.

import { Device } from 'wavelight';
import { ceilings } from 'wavelight/inspect';
import { missingWebGpu } from '../shared/page.ts';
import { showOn } from './api.ts';
import { observeConsole } from './console.ts';
import { runModule } from './modules.ts';
import type { News, Order } from './protocol.ts';
import { observeCompile, timeSteps } from './steps.ts';

const tell = (news: News): void => postMessage(news);

const problem = (error: unknown): void =>
  tell({
    kind: 'problem',
    message: error instanceof Error ? error.message : String(error),
    line: null,
    syntax: false,
  });

async function run(code: string, canvas: OffscreenCanvas): Promise<void> {
  showOn(canvas);
  observeConsole((level, text) => tell({ kind: 'line', level, text }));
  observeCompile((step) => tell({ kind: 'step', step }));
  const start = performance.now();
  const ended = await runModule(code, (failure) => tell({ kind: 'problem', ...failure }));
  if (!ended) return;
  tell({ kind: 'ended', milliseconds: performance.now() - start });
  await timeSteps((index, times) => tell({ kind: 'times', index, times }));
}

async function measure(): Promise<void> {
  await using device = await Device.create();
  tell({ kind: 'ceilings', adapter: device.description.name, ceilings: await ceilings(device) });
}

addEventListener('message', ({ data }: MessageEvent<Order>) => {
  const missing = missingWebGpu();
  const work =
    missing !== null
      ? Promise.reject(new Error(missing))
      : data.do === 'run'
        ? run(data.code, data.canvas)
        : measure();
  void work.catch(problem).finally(() => tell({ kind: 'done' }));
});
