import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDataset } from '../../../../src/avsc/node/data/synth.ts';
import { parseExperiment } from '../../../../src/avsc/node/experiments/files.ts';
import { reproduceTable, type TableResults } from '../../../../src/avsc/node/tables/reproduce.ts';
import type { Table, TableRow } from '../../../../src/avsc/node/tables/table.ts';
import type { StartEvents } from '../../../../src/avsc/node/training/start.ts';
import type { Device } from '../../../../src/index.ts';
import { testDevice } from '../../../support/engine.ts';

let folder = '';
let device: Device;
beforeAll(async () => {
  device = await testDevice();
  folder = await mkdtemp(join(tmpdir(), 'wavelight-table-'));
  await makeDataset(join(folder, 'data'), { train: 2, evaluate: 1, seconds: 1 });
});
afterAll(async () => {
  await device.destroy();
  await rm(folder, { recursive: true, force: true });
});

async function rowOf(id: string, changes: object | null): Promise<TableRow> {
  const base = { extends: 'small', name: id, batchSize: 4 };
  return {
    id,
    label: `the row ${id}`,
    paper: 90,
    published: changes === null ? 'quoted' : 'published',
    note: null,
    experiment: changes === null ? null : await parseExperiment({ ...base, ...changes }, 'test.json'),
  };
}

/** Stages of one epoch: the net for sound, and it with an untrained one for pictures. */
const STAGES = { audio: { epochs: 1 }, video: null, joint: { epochs: 1 } };

async function makeTable(): Promise<Table> {
  const mixed = { ...STAGES, joint: { epochs: 1, augment: { mixup: { share: 0.5, ratio: 0.4 } } } };
  const nets = { densenet: { architecture: 'resnet18', options: null, weights: 'places365' } };
  const rows = await Promise.all([
    rowOf('plain', { stages: STAGES }),
    rowOf('lacks', { stages: STAGES, nets }),
    rowOf('known', null),
    rowOf('mixed', { stages: mixed }),
  ]);
  return { table: 'table3', title: 'A test', what: 'Rows of a test.', rows };
}

function run(table: Table, out: string, more: object = {}, events: StartEvents = {}): Promise<TableResults> {
  return reproduceTable(table, {
    data: join(folder, 'data'),
    out: join(folder, out),
    scale: 'full',
    rows: null,
    seeds: null,
    cache: join(folder, 'cache'),
    weightsFolder: join(folder, 'weights'),
    device,
    signal: new AbortController().signal,
    events,
    ...more,
  });
}

describe('the rows of a table', () => {
  it('run one after the other, share a stage, and a failure does not stop them', async () => {
    const table = await makeTable();
    const [trained, shared]: [string[], string[]] = [[], []];
    const events = { onStage: (id: string) => trained.push(id), onShared: (id: string) => shared.push(id) };
    const results = await run(table, 'out', {}, events);
    expect(results.rows.map(({ id, status }) => [id, status])).toEqual([
      ['plain', 'done'],
      ['lacks', 'failed'],
      ['known', 'quoted'],
      ['mixed', 'done'],
    ]);
    expect([trained, shared]).toEqual([['audio', 'joint', 'joint'], ['audio']]);
    const [plain, lacks] = results.rows;
    expect(plain?.accuracy).toBeGreaterThanOrEqual(0);
    expect(plain?.logLoss).toBeGreaterThan(0);
    expect(lacks?.note).toContain('fetch-weights resnet18_places365');
    expect(lacks?.accuracy).toBeNull();
    const written = await readFile(join(folder, 'out', 'results.json'), 'utf8');
    expect(JSON.parse(written)).toEqual(results);
    expect(await readFile(join(folder, 'out', 'report.html'), 'utf8')).toContain('the row mixed');
    expect(await readFile(join(folder, 'out', 'rows', 'mixed', 'report.html'), 'utf8')).toContain('<html');

    trained.length = 0;
    expect((await run(table, 'out', {}, events)).rows).toEqual(results.rows);
    expect(trained).toEqual([]);
  });

  it('are run by several seeds, those that are asked for', async () => {
    const { rows } = await run(await makeTable(), 'seeds', { rows: ['plain'], seeds: [1, 2] });
    expect(rows.map(({ status }) => status)).toEqual(['done', 'waiting', 'quoted', 'waiting']);
    const [plain] = rows;
    expect(plain?.accuracies).toHaveLength(2);
    const [a = NaN, b = NaN] = plain?.accuracies ?? [];
    expect(plain?.accuracy).toBeCloseTo((a + b) / 2, 12);
    await expect(run(await makeTable(), 'seeds', { rows: ['none'] })).rejects.toThrow(
      'table3 has no row none: plain, lacks, known, mixed',
    );
  });

  it('are refused if the folder holds others', async () => {
    const table = await makeTable();
    const other = { ...table, rows: [await rowOf('plain', { stages: STAGES, seed: 9 })] };
    const { rows } = await run(other, 'out');
    expect(rows[0]?.status).toBe('failed');
    expect(rows[0]?.note).toContain('another experiment or scale');
  });
});
