import type { Experiment } from '../src/avsc/experiment/experiment.ts';
import { exampleBatch } from '../src/avsc/training/example-batch.ts';
import type { InputPlan } from '../src/avsc/training/inputs.ts';
import { createModel, findStage, inputOf, partOf, pictureInput } from '../src/avsc/training/model.ts';
import { createTrainer } from '../src/avsc/training/trainer.ts';
import { netsOf } from '../src/avsc/experiment/experiment.ts';
import { manualSeed, type Device } from '../src/index.ts';
import { median } from './report.ts';

interface AugmentationResult {
  readonly experiment: string;
  readonly batch: number;
  /** Median time of a joint step with the experiment's augmentation, and without any. */
  readonly augmentedMilliseconds: number;
  readonly plainMilliseconds: number;
  /** Median over the rounds of the time that augmentation adds, as a share of the step without. */
  readonly share: number;
  readonly dispatches: { readonly augmented: number; readonly plain: number };
}

/**
 * Times joint training steps of an experiment with and without its augmentation, in turns, so that both see the same noise of the
 * machine. The share of the partner rows is that of the batch.
 */
export async function benchAugmentation(
  device: Device,
  experiment: Experiment,
  batch: number,
  rounds: number,
): Promise<AugmentationResult> {
  const stage = findStage(experiment, 'joint');
  const { mixup } = stage.augmentation;
  const partnerRows = mixup === null ? 0 : Math.ceil(batch * mixup.share);
  const prepare = (augmentation: InputPlan['augmentation']) => {
    manualSeed(1);
    const model = createModel(experiment, stage);
    model.net.to(device);
    const plan: InputPlan = {
      parts: netsOf(stage.model).map((net) => ({
        part: partOf(experiment, net),
        from: inputOf(experiment, net),
      })),
      picture: pictureInput(experiment, stage.model),
      augmentation,
      seed: 1,
    };
    const trainer = createTrainer(device, model, stage.optimizer, plan);
    const data = exampleBatch(plan, model, batch, partnerRows);
    const step = async (): Promise<{ milliseconds: number; dispatches: number }> => {
      const before = device.counters.dispatches;
      const start = performance.now();
      const { loss } = await trainer.step(data, batch, 1e-5);
      await device.gpu.idle();
      const milliseconds = performance.now() - start;
      await loss.item();
      return { milliseconds, dispatches: device.counters.dispatches - before };
    };
    return { step, dispose: () => (trainer.dispose(), model.net.dispose()) };
  };
  const augmented = prepare(stage.augmentation);
  const plain = prepare(null);
  try {
    // The first step compiles.
    const counts = { augmented: (await augmented.step()).dispatches, plain: (await plain.step()).dispatches };
    const times: { augmented: number; plain: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const { milliseconds } = await augmented.step();
      times.push({ augmented: milliseconds, plain: (await plain.step()).milliseconds });
    }
    return {
      experiment: experiment.name,
      batch,
      augmentedMilliseconds: median(times.map((time) => time.augmented)),
      plainMilliseconds: median(times.map((time) => time.plain)),
      share: median(times.map((time) => (time.augmented - time.plain) / time.plain)),
      dispatches: counts,
    };
  } finally {
    augmented.dispose();
    plain.dispose();
  }
}
