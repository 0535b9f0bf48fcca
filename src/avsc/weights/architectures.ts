import { ARCHITECTURE_NAMES, type Architecture, type ArchitectureName } from './architecture.ts';
import { cnn1d } from './nets/cnn1d.ts';
import { densenet, densenet161 } from './nets/densenet.ts';
import { fcnn, fcnnSmall } from './nets/fcnn.ts';
import { openL3Audio, openL3Image } from './nets/openl3.ts';
import { resnest50 } from './nets/resnest.ts';
import { resnet18, resnet50, resnet50Audio, resnet50Bottom } from './nets/resnet.ts';
import { squeezenet } from './nets/squeezenet.ts';

export { IMAGENET_INPUT } from './nets/pictures.ts';

export const ARCHITECTURES: Readonly<Record<ArchitectureName, Architecture>> = {
  densenet161,
  densenet,
  resnet18,
  resnet50,
  resnet50_bottom: resnet50Bottom,
  resnest50,
  squeezenet1_1: squeezenet,
  openl3_image: openL3Image,
  fcnn,
  fcnn_small: fcnnSmall,
  resnet50_audio: resnet50Audio,
  cnn1d,
  openl3_audio: openL3Audio,
};

/** The architecture of this name. Throws an Error that lists the names if there is none. */
export function findArchitecture(name: string): Architecture {
  const found = ARCHITECTURE_NAMES.find((known) => known === name);
  if (found !== undefined) return ARCHITECTURES[found];
  throw new Error(`there is no architecture ${name}: choose one of ${ARCHITECTURE_NAMES.join(', ')}`);
}
