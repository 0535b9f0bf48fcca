import { drawFeatureRow, PAPER_FEATURES } from '../src/avsc/augment/features/policy.ts';
import { drawProgram, PAPER_PICTURES } from '../src/avsc/augment/pictures/policy.ts';
import { randomStream } from '../src/avsc/dataset/random.ts';
import { SOUND_INPUTS } from '../src/avsc/features/inputs.ts';
import { squashPicture } from '../src/avsc/features/resize.ts';
import { PROFILES } from '../src/index.ts';
import { MODELS, planModel } from './model.ts';
import { timeHost, type HostTime } from './timer.ts';

/** Samples in a batch of the paper. */
const BATCH = 32;

/** Times what a training does on the host beside sound: planning, draws of augmentation, resizing of pictures. */
export async function benchHost(repeats: number): Promise<HostTime[]> {
  const target = { name: 'h100', geometry: PROFILES.h100 };
  const picture = {
    data: new Uint8Array(4 * 1280 * 720).fill(100),
    width: 1280,
    height: 720,
    channels: 4,
  } as const;
  return timeHost(
    [
      ...MODELS.map((model) => ({
        name: `trace and plan a step of ${model}, fused and not`,
        run: () => planModel(target, model, BATCH),
      })),
      { name: `draws of the paper's augmentation for ${BATCH} samples`, run: drawBatch },
      { name: 'squash a picture of 1280 x 720 to 256 x 256', run: () => squashPicture(picture, 256, 256) },
    ],
    repeats,
  );
}

function drawBatch(): void {
  for (let key = 0; key < BATCH; key++) {
    drawFeatureRow(PAPER_FEATURES, SOUND_INPUTS.logmel, randomStream(1, 1, key, 'features'));
    const random = randomStream(1, 1, key, 'pictures');
    for (let frame = 0; frame < 2; frame++) drawProgram(PAPER_PICTURES, 224, random);
  }
}
