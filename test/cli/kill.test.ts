import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDataset } from '../../src/avsc/node/data/synth.ts';
import { runKills } from '../support/kills.ts';
import { HAS_PROC } from '../support/processes.ts';
import { FULL } from '../support/scale.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-kill-'));
  await makeDataset(join(folder, 'data'), { train: 1, evaluate: 1, seconds: 1 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

// tools/kill-runs.ts does the same with more kills of longer work.
describe.skipIf(!HAS_PROC)('kills at random moments (needs /proc)', () => {
  it.each([
    ['train', FULL ? 4 : 2],
    ['prepare', FULL ? 4 : 3],
  ] as const)(
    '%s leaves no process and nothing half-written, and resumes to the same bits',
    async (command, kills) => {
      const report = await runKills({
        command,
        folder: join(folder, command),
        data: join(folder, 'data'),
        device: process.env['WAVELIGHT_TEST_ADAPTER'] ?? 'software',
        epochs: 2,
        kills,
        seed: 3,
      });
      console.log(
        report.kills
          .map(({ signal, target, after }) => `${signal} to ${target} after ${after.toFixed(1)} s`)
          .join(', '),
      );
      expect(report.problems).toEqual([]);
      expect(report.kills).toHaveLength(kills);
      expect(report.compared).toBeGreaterThan(0);
    },
  );
});
