import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { normalisePictures } from '../../src/avsc/features/pictures.ts';
import { readGivenWeights } from '../../src/avsc/node/weights/given.ts';
import { loadModel } from '../../src/avsc/node/runs/load.ts';
import { readMediaSeconds } from '../../src/avsc/node/data/media-seconds.ts';
import { weightsFile, type RunFolder } from '../../src/avsc/node/runs/folder.ts';
import { inputPlan } from '../../src/avsc/training/plan.ts';
import { readDefinition } from '../../src/avsc/training/definition.ts';
import { findStage, pictureInput } from '../../src/avsc/training/model.ts';
import { createPredictor } from '../../src/avsc/training/trainer.ts';
import type { Device } from '../../src/index.ts';
import { readSafetensors } from '../../src/nn/checkpoint/safetensors/file.ts';
import { softmaxRows } from '../../src/avsc/training/metrics.ts';
import { hashValues } from '../support/hash.ts';
import { openOnnx } from '../support/onnx.ts';
import { testDevice } from '../support/engine.ts';
import { makeRun } from '../support/made_run.ts';
import { wavelight } from './wavelight.ts';

const SQUEEZENET = '../shared/checkpoints/squeezenet11bn_places365_urbste.safetensors';
const CLIP = '../shared/media/bento.mp4';
const SECONDS = 2;

let folder = '';
let device: Device;
beforeAll(async () => {
  device = await testDevice();
  folder = await mkdtemp(join(tmpdir(), 'wavelight-export-'));
});
afterAll(async () => {
  await device.destroy();
  await rm(folder, { recursive: true, force: true });
});

/** The joint model's probabilities by the engine and by ONNX Runtime on what is exported; gives their largest difference. */
async function compare(run: RunFolder, audio: Float32Array, pictures: Uint8Array): Promise<number> {
  const seconds = audio.length / (6 * 128 * 39);
  const { code, stdout, stderr } = await wavelight(
    ['export', run.path, '--format', 'onnx', '--device', 'software', '--json'],
    folder,
  );
  expect(code, stderr).toBe(0);
  const { out, fixedBatch, bytes } = JSON.parse(stdout) as {
    out: string;
    fixedBatch: unknown;
    bytes: number;
  };
  expect([out, fixedBatch]).toEqual([join(run.path, 'joint.onnx'), null]);
  const file = new Uint8Array(await readFile(out));
  expect(file.length).toBe(bytes);
  const { recipe } = run.config;
  const stage = findStage(recipe, 'joint');
  const input = pictureInput(recipe, stage.model);
  const text = new TextDecoder('latin1').decode(file);
  expect(text).toContain('"street_pedestrian"');
  expect(text).toContain(`cut to the centre ${input.size}`);
  const frames = new Float32Array(pictures.length);
  normalisePictures(pictures, input.size, input, frames);
  const session = await openOnnx(file);
  const results = await session.run(
    new Map([
      ['audio', { data: audio, shape: [seconds, 6, 128, 39] }],
      ['frames', { data: frames, shape: [seconds, 2, 3, input.size, input.size] }],
    ]),
  );
  const model = await loadModel(run, 'joint', device);
  try {
    const predictor = createPredictor(
      device,
      model,
      inputPlan(recipe, { ...stage, freeze: [] }, 'evaluation'),
    );
    const logits = await (
      await predictor.predict(
        { inputs: { logmel: Float32Array.from(audio), frames: Uint8Array.from(pictures) } },
        seconds,
      )
    ).data();
    const here = softmaxRows(Float64Array.from(logits), 10);
    const there = results.get('probabilities');
    expect(there?.shape).toEqual([seconds, 10]);
    expect(Math.max(...here) - Math.min(...here)).toBeGreaterThan(0.01);
    return Math.max(...here.map((p, i) => Math.abs(p - (there?.data[i] ?? Number.NaN))));
  } finally {
    model.net.dispose();
  }
}

describe('export', () => {
  it('gives ONNX that computes what the run does', async () => {
    const run = await makeRun(folder, 'own');
    const audio = Float32Array.from(hashValues('audio', SECONDS * 6 * 128 * 39, 'uniform'));
    const pictures = Uint8Array.from({ length: SECONDS * 2 * 3 * 48 * 48 }, (_, i) => (i * 7919) % 256);
    const error = await compare(run, audio, pictures);
    console.log(`small preset: probabilities differ by at most ${error.toExponential(1)} in ONNX Runtime`);
    expect(error).toBeLessThan(1e-4);
    const single = await wavelight(
      ['export', run.path, '--format', 'onnx', '--model', 'audio', '--out', 'a.onnx', '--device', 'software'],
      folder,
    );
    expect(single.stdout).toContain('a.onnx: the audio model of');
    const session = await openOnnx(new Uint8Array(await readFile(join(folder, 'a.onnx'))));
    expect(session.inputNames).toEqual(['audio']);
  });

  const missing = [SQUEEZENET, CLIP].filter((path) => !existsSync(path));
  const why = missing.length > 0 ? ` (skipped: there is no ${missing.join(', no ')})` : '';
  it.skipIf(missing.length > 0)(
    `the same with the SqueezeNet of Places365, on a real clip${why}`,
    async () => {
      const { state } = await readGivenWeights('squeezenet1_1', SQUEEZENET);
      const nets = { video: { architecture: 'squeezenet1_1', weights: SQUEEZENET } } as const;
      const run = await makeRun(folder, 'squeezenet', nets, state);
      const wanted = { inputs: ['logmel', 'frames'], size: 224 } as const;
      const { sound, frames } = await readMediaSeconds(CLIP, wanted, new AbortController().signal);
      const audio = sound?.logmel;
      if (audio === undefined || frames === null) throw new Error(`${CLIP} lacks sound or pictures`);
      const error = await compare(run, audio, frames);
      console.log(`SqueezeNet: probabilities differ by at most ${error.toExponential(1)} in ONNX Runtime`);
      expect(error).toBeLessThan(1e-4);
    },
  );

  it('gives the weights bit for bit as safetensors that says what it is of', async () => {
    const run = await makeRun(folder, 'plain');
    const { code, stdout } = await wavelight(
      ['export', run.path, '--format', 'safetensors', '--model', 'video'],
      folder,
    );
    expect(code).toBe(0);
    const out = join(run.path, 'video-exported.safetensors');
    expect(stdout).toContain(out);
    const [mine, other] = await Promise.all(
      [weightsFile(run, 'video'), out].map(async (path) =>
        readSafetensors(new Uint8Array(await readFile(path))),
      ),
    );
    expect(other?.tensors).toEqual(mine?.tensors);
    expect(JSON.parse(other?.metadata.get('classes') ?? '')).toHaveLength(10);
    expect(JSON.parse(other?.metadata.get('frames') ?? '')).toMatchObject({
      size: 48,
      std: [0.229, 0.224, 0.225],
    });
    expect(other?.metadata.get('audio')).toBeUndefined();
  });

  it('gives all models in one file, with what is needed to build their nets', async () => {
    const run = await makeRun(folder, 'all');
    const { code, stdout } = await wavelight(
      ['export', run.path, '--format', 'safetensors', '--all'],
      folder,
    );
    expect(code).toBe(0);
    const out = join(run.path, 'all-exported.safetensors');
    expect(stdout).toContain(`${out}: all 3 models of ${run.path}`);
    const all = readSafetensors(new Uint8Array(await readFile(out)));
    for (const { id } of run.config.recipe.stages) {
      const one = readSafetensors(new Uint8Array(await readFile(weightsFile(run, id))));
      for (const [name, tensor] of one.tensors) expect(all.tensors.get(`${id}/${name}`)).toEqual(tensor);
    }
    const definition = readDefinition(all.metadata);
    expect(definition?.prefixes).toEqual({ audio: 'audio/', video: 'video/', joint: 'joint/' });
    expect(definition?.experiment.stages).toEqual(run.config.recipe.stages);
    for (const [options, message] of [
      [['--format', 'onnx', '--all'], '--all is for --format safetensors'],
      [['--format', 'safetensors', '--all', '--model', 'audio'], '--all exports every model, --model one'],
    ] as const) {
      const refused = await wavelight(['export', run.path, ...options], folder);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(message)]);
    }
  });

  it.each([
    [['export', 'nowhere', '--format', 'onnx'], 1, "nowhere is not a run's folder"],
    [['export', 'nowhere'], 2, "required option '--format <name>' not specified"],
    [['export', '--format', 'onnx', '--all'], 1, 'there is no finished run under runs/'],
    [['export', '--format', 'tflite'], 2, 'Allowed choices are safetensors, onnx'],
    [['export', '--format', 'onnx'], 1, 'there is no finished run under runs/'],
  ])('refuses %j', async (args, status, message) => {
    const { code, stderr } = await wavelight(args, folder);
    expect(stderr).toContain(message);
    expect(code).toBe(status);
  });

  it('says which file of a run is missing, and writes over none', async () => {
    const run = await makeRun(folder, 'broken');
    await rm(weightsFile(run, 'joint'));
    const own = await wavelight(
      ['export', run.path, '--format', 'onnx', '--out', join('broken', 'video.safetensors')],
      folder,
    );
    expect(own.stderr).toContain('is a file of the run itself');
    expect(own.code).toBe(2);
    const { code, stderr } = await wavelight(['export', run.path, '--format', 'safetensors'], folder);
    expect(stderr).toMatch(/model\.safetensors does not exist/);
    expect(code).toBe(1);
  });
});
