// The process of one peer: `child.ts NAME OPENING`, with OPENING as JSON. It answers the requests of protocol.ts one at a time, until stdin ends.

import { writeFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openJax } from './jax.ts';
import { openOnnxRuntime } from './onnxruntime.ts';
import { REPLY_DESCRIPTOR, type Job, type Opening, type Peer, type Request, type Timed } from './protocol.ts';
import { openTfjs } from './tfjs.ts';
import { openWavelight } from './wavelight.ts';

const OPEN: Readonly<Record<string, (opening: Opening) => Promise<Peer>>> = {
  wavelight: openWavelight,
  tfjs: openTfjs,
  'jax-js': openJax,
  onnxruntime: openOnnxRuntime,
};

let job: Job | undefined;

async function answer(peer: Peer, request: Request): Promise<object> {
  switch (request.do) {
    case 'describe':
      return peer.describe();
    case 'prepare':
      job = await peer.prepare(request.work);
      return {};
    case 'check': {
      const { losses, tensors } = await current().check();
      const bytes = tensors.map(({ buffer, byteOffset, byteLength }) =>
        Buffer.from(buffer, byteOffset, byteLength),
      );
      writeFileSync(request.file, Buffer.concat(bytes));
      return { losses };
    }
    case 'time':
      return time(peer, request.steps);
    case 'dispose':
      await job?.dispose();
      job = undefined;
      return {};
  }
}

async function time(peer: Peer, steps: number): Promise<Timed> {
  const before = { ...peer.counts() };
  const start = performance.now();
  await current().run(steps);
  const milliseconds = performance.now() - start;
  const after = peer.counts();
  const per = (later?: number, earlier?: number): number | null =>
    later === undefined || earlier === undefined ? null : (later - earlier) / steps;
  return {
    milliseconds,
    dispatches: per(after?.dispatches, before.dispatches),
    submits: per(after?.submits, before.submits),
  };
}

function current(): Job {
  if (job === undefined) throw new Error('nothing was prepared');
  return job;
}

const reply = (message: object): void => {
  writeSync(REPLY_DESCRIPTOR, `${JSON.stringify(message)}\n`);
};

const errorOf = (cause: unknown): { error: string } => ({
  error: (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, ' ').slice(0, 400),
});

const [name = '', opening = '{}'] = process.argv.slice(2);
let peer: Peer | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  try {
    // The first request opens the peer, so that a failure is its reply.
    peer ??= await OPEN[name]?.(JSON.parse(opening) as Opening);
    if (peer === undefined) throw new Error(`there is no peer ${name}`);
    reply(await answer(peer, JSON.parse(line) as Request));
  } catch (cause) {
    reply(errorOf(cause));
  }
}
// Dawn's and ONNX Runtime's threads would keep the process alive.
process.exit(0);
