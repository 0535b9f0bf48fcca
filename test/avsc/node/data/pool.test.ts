import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runJobs } from '../../../../src/avsc/node/data/pool.ts';
import { assemble, takeApart, type Piece } from '../../../../src/avsc/node/data/transfer.ts';
import { temporaryFolder, writeTone } from '../../media-files.ts';

const folder = temporaryFolder();
const good = join(folder, 'good.wav');
writeTone(good, 1.5);

/** A FLAC file whose metadata block sends mediabunny's reader round in circles. */
function endlessFlac(name: string): string {
  const path = join(folder, name);
  const info = new Uint8Array(34);
  // 4096 samples a block, 8 kHz, one channel of 16 bits.
  info.set([16, 0, 16, 0, 0, 0, 0, 0, 0, 0, 1, 244, 0, 240]);
  const head = [...Buffer.from('fLaC'), 0, 0, 0, 34, ...info];
  writeFileSync(path, Uint8Array.from([...head, 255, 0, 0, 1, ...new Uint8Array(2000).fill(0xff)]));
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

async function waitFor(check: () => boolean, seconds: number): Promise<boolean> {
  for (let i = 0; i < seconds * 10 && !check(); i++) await new Promise((resolve) => setTimeout(resolve, 100));
  return check();
}

describe('jobs in processes of their own', () => {
  it('that make no progress are ended and named, and the next jobs are done', async () => {
    const hung = endlessFlac('endless.flac');
    const jobs = [hung, good, hung, good].map((path) => ({ kind: 'media' as const, path }));
    const outcomes = await runJobs(jobs, { workers: 1, patience: 2500 });
    const problem = { problem: `${hung} cannot be decoded: no progress for 2.5 s (broken file?)` };
    expect([outcomes[0], outcomes[2]]).toEqual([problem, problem]);
    for (const outcome of [outcomes[1], outcomes[3]])
      expect(outcome && 'value' in outcome && outcome.value.sound?.channels[0]?.length).toBe(72_000);
  }, 60_000);

  it('end soon after their parent is killed, even if they hang', async () => {
    const script = join(folder, 'parent.ts');
    const pool = new URL('../../../../src/avsc/node/data/pool.ts', import.meta.url).pathname;
    const path = endlessFlac('orphan.flac');
    writeFileSync(
      script,
      `import { runJobs } from '${pool}';
       await runJobs([{ kind: 'media', path: '${path}' }], { workers: 1, patience: 600_000 });`,
    );
    const parent = spawn(process.execPath, [script], { stdio: 'ignore' });
    const childrenOf = (id: number): number[] => {
      try {
        return execFileSync('ps', ['-o', 'pid=', '--ppid', String(id)], { encoding: 'utf8' })
          .split(/\s+/)
          .filter(Boolean)
          .map(Number);
      } catch {
        return [];
      }
    };
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
    expect(assemble(apart, pieces)).toEqual(value);
  });
});
