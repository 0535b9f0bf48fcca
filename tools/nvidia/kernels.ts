/*
 * Writes every distinct kernel that a GPU would run in a training step, as WGSL and SPIR-V, for tools/nvidia/count.py:
 *
 *   MESA_SPIRV_DUMP_PATH=$(mktemp -d) MESA_SHADER_CACHE_DISABLE=1 WAVELIGHT_TEST_PROFILE=fast \
 *     npx node --import ./bin/wgsl.js tools/nvidia/kernels.ts --model densenet161 --batch 64 --out kernels
 *
 * It needs no GPU, only Mesa's lavapipe, which dumps the SPIR-V that Dawn passes to it. The step is planned, not run.
 */
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MODELS, planModel } from '../../bench/model.ts';
import type { Dispatch } from '../../src/gpu/dispatch.ts';
import { Pipelines } from '../../src/gpu/pipelines.ts';
import { PROFILES } from '../../src/gpu/profile.ts';
import { testDevice } from '../../test/support/engine.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'densenet161' },
    batch: { type: 'string', default: '64' },
    out: { type: 'string', default: 'kernels' },
  },
});
const model = MODELS.find((name) => name === values.model);
const spirv = process.env['MESA_SPIRV_DUMP_PATH'];
if (model === undefined) throw new Error(`--model must be one of ${MODELS.join(', ')}`);
if (spirv === undefined) throw new Error('MESA_SPIRV_DUMP_PATH must name an empty folder');

const dispatches: Dispatch[] = [];
planModel({ name: 'h100', geometry: PROFILES.h100 }, model, Number(values.batch), {
  onPlan: (plan) => dispatches.push(...plan.dispatches),
});

const device = await testDevice();
await mkdir(values.out, { recursive: true });
const fresh: string[] = [];
const pipelines = new Pipelines(device.gpu.device, device.gpu.counters, {
  bake: true,
  onCompile: (_, code) => fresh.push(code),
});
const kernels = new Map<unknown, { name: string; label: string; runs: unknown[] }>();
for (const dispatch of dispatches) {
  const before = new Set(await readdir(spirv));
  const [compiled] = await pipelines.prepare([dispatch]);
  const wgsl = fresh.pop();
  if (wgsl !== undefined) {
    const name = String(kernels.size).padStart(3, '0');
    const written = (await readdir(spirv)).filter((file) => !before.has(file));
    if (written.length !== 1)
      throw new Error(`${dispatch.label}: lavapipe wrote ${written.length} SPIR-V modules`);
    await copyFile(join(spirv, ...written), join(values.out, `${name}.spv`));
    await writeFile(join(values.out, `${name}.wgsl`), wgsl);
    kernels.set(compiled, { name, label: dispatch.label, runs: [] });
  }
  const { shape, workgroups, flops, bytes } = dispatch;
  kernels.get(compiled)?.runs.push({ shape, workgroups, flops, bytes });
}
await writeFile(join(values.out, 'index.json'), JSON.stringify([...kernels.values()], null, 1));
console.log(`${kernels.size} kernels of ${dispatches.length} dispatches in ${values.out}`);
await device.destroy();
