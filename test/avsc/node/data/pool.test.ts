import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { InputName } from '../../../../src/avsc/features/inputs.ts';
import { runJobs } from '../../../../src/avsc/node/data/pool.ts';
import { assemble, takeApart, type Piece } from '../../../../src/avsc/node/data/transfer.ts';
import { DATASET_DEFAULTS, planClips } from '../../../../src/avsc/synth/plan.ts';
import { temporaryFolder, writeTone, writeVideo } from '../../media-files.ts';

const folder = temporaryFolder();
const good = join(folder, 'good.wav');
writeTone(good, 1.5);

/** A Matroska file without end: mediabunny's reader looks for the next element for ever, and never sees the one in the last bytes. */
function endlessFile(name: string): string {
  const path = join(folder, name);
  const head = [0x1a, 0x45, 0xdf, 0xa3, 0x8b, 0x42, 0x82, 0x88, ...Buffer.from('matroska')];
  const segment = [0x18, 0x53, 0x80, 0x67, 0x01, 255, 255, 255, 255, 255, 255, 255];
  const cluster = [0x1f, 0x43, 0xb6, 0x75];
  writeFileSync(path, Uint8Array.from([...head, ...segment, ...new Array<number>(100).fill(1), ...cluster]));
  return path;
}

const alive = (id: number): boolean => {
  try {
    process.kill(id, 0);
    return !readFileSync(`/proc/${id}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

/** Processes that this one has started, by /proc, since a bare machine has no ps. */
function childrenOf(id: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => {
      try {
        // Behind the name in brackets: the state and the parent.
        return Number(readFileSync(`/proc/${child}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]) === id;
      } catch {
        return false;
      }
    });
}

async function waitFor(check: () => boolean, seconds: number): Promise<boolean> {
  for (let i = 0; i < seconds * 10 && !check(); i++) await new Promise((resolve) => setTimeout(resolve, 100));
  return check();
}

describe('jobs in processes of their own', () => {
  it('that make no progress are ended and named, and the next jobs are done', async () => {
    const hung = endlessFile('endless.mkv');
    const jobs = [hung, good, hung, good].map((path) => ({ kind: 'media' as const, path }));
    const outcomes = await runJobs(jobs, { workers: 1, patience: 2500 });
    const problem = { problem: `${hung} cannot be decoded: no progress for 2.5 s (broken file?)` };
    expect([outcomes[0], outcomes[2]]).toEqual([problem, problem]);
    for (const outcome of [outcomes[1], outcomes[3]])
      expect(outcome && 'value' in outcome && outcome.value.sound?.channels[0]?.length).toBe(72_000);
  }, 60_000);

  it('may take their time where they depend on no file', async () => {
    const cache = join(folder, 'store');
    const sound = join(folder, 'clip.wav');
    const video = join(folder, 'clip.mp4');
    writeTone(sound, 1.5);
    await writeVideo(video, { rate: 30, frames: 45, colour: () => [200, 100, 50] });
    const prepare = (inputs: readonly InputName[]) => ({
      ...{ kind: 'prepare' as const, audio: sound, video, cache, inputs, verify: true },
      options: { size: 16, scaling: 'sample' as const },
    });
    mkdirSync(cache);
    const [decoded] = await runJobs([prepare([])], { workers: 1 });
    expect(decoded).toMatchObject({ value: { seconds: 1 } });
    const [clip] = planClips(DATASET_DEFAULTS);
    if (!clip) throw new Error('no clip is planned');
    const make = { kind: 'make' as const, root: join(folder, 'made'), clip, seed: 1, seconds: 1 };
    // Log-mel features, files and a made clip take longer than a millisecond.
    const outcomes = await runJobs([prepare(['logmel', 'frames']), make], { workers: 1, patience: 1 });
    expect(outcomes).toMatchObject([{ value: { seconds: 1, cached: false } }, { value: null }]);
  }, 60_000);

  it('are ended by the signal at once, if they write nothing', async () => {
    const stop = new AbortController();
    const job = { kind: 'media' as const, path: endlessFile('stopped.mkv') };
    const running = runJobs([job, job], { workers: 2, signal: stop.signal, patience: 600_000 });
    setTimeout(() => stop.abort(new Error('enough')), 2000);
    await expect(running).rejects.toThrow('enough');
  }, 30_000);

  it('end soon after their parent is killed, even if they hang', async () => {
    const script = join(folder, 'parent.ts');
    const pool = new URL('../../../../src/avsc/node/data/pool.ts', import.meta.url).pathname;
    const path = endlessFile('orphan.mkv');
    writeFileSync(
      script,
      `import type { InputName } from '../../../../src/avsc/features/inputs.ts';
import { runJobs } from '${pool}';
       await runJobs([{ kind: 'media', path: '${path}' }], { workers: 1, patience: 600_000 });`,
    );
    const parent = spawn(process.execPath, [script], { stdio: 'ignore' });
    expect(await waitFor(() => childrenOf(parent.pid ?? 0).length > 0, 30)).toBe(true);
    const [child = 0] = childrenOf(parent.pid ?? 0);
    // Long enough for the child to be inside the loop.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    parent.kill('SIGKILL');
    expect(await waitFor(() => !alive(child), 30)).toBe(true);
  }, 90_000);
});

describe('large arrays', () => {
  it('come in pieces and are put together to the bit', async () => {
    const value = {
      sound: {
        sampleRate: 8000,
        channels: [new Float32Array(9_000_000).map((_, i) => i), Float32Array.of()],
      },
      frames: undefined,
      data: Uint8Array.of(1, 2, 3).subarray(1),
      warnings: ['a'],
      nothing: null,
    };
    const pieces: Piece[] = [];
    const apart = await takeApart(value, (piece) => {
      pieces.push(structuredClone(piece));
      return Promise.resolve();
    });
    console.log(
      `${pieces.length} pieces of at most ${Math.max(...pieces.map(({ bytes }) => bytes.length))} bytes`,
    );
    expect(Math.max(...pieces.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(2 ** 24);
    const together = assemble(apart, pieces) as typeof value;
    const bytesOf = ({ sound }: typeof value): Uint8Array => new Uint8Array(sound.channels[0]?.buffer ?? []);
    expect(Buffer.compare(bytesOf(together), bytesOf(value))).toBe(0);
    // Compared value by value, nine million take half a minute.
    const { sound } = value;
    const [, ...channels] = sound.channels;
    expect({
      ...together,
      sound: { ...together.sound, channels: together.sound.channels.slice(1) },
    }).toEqual({ ...value, sound: { ...sound, channels } });
  });
});
