/* Work by name (`--shapes`). */
import { DENSENET161, DenseNet, DenseNetExtractor } from '../../src/avsc/models/densenet.ts';
import { Fcnn } from '../../src/avsc/models/fcnn.ts';
import { JointNet } from '../../src/avsc/models/joint.ts';
import { Parameter } from '../../src/nn/parameter.ts';
import { convWork, densenetConvs, denseWork, elements, flopsOf, gradientWorks, matmulWork } from './work.ts';
import type { ConvWork, NetWork, TensorSpec, Work } from './work.ts';

export const SHAPES = [
  'layer',
  'densenet161',
  'gradients',
  'fcnn',
  'matmul',
  'matmul4096',
  'nets',
  'tiny',
] as const;
export type Shapes = (typeof SHAPES)[number];

const CLASSES = 10;
const FCNN_WIDTHS = [144, 288, 576] as const;
const TINY = { growthRate: 4, blocks: [2, 1], stem: 8 };

export function workOf(shapes: Shapes, batch: number): Work[] {
  switch (shapes) {
    case 'layer':
      return [denseWork(batch, 96, 56, 48, 6)];
    case 'densenet161':
      return distinct(densenetConvs(batch, 224, DENSENET161));
    case 'gradients':
      return distinct(densenetConvs(batch, 224, DENSENET161)).flatMap(gradientWorks);
    case 'fcnn':
      return fcnnConvs(batch, FCNN_WIDTHS, 512).flatMap((work) => [work, ...gradientWorks(work)]);
    case 'matmul':
      return [512, 1024, 2048].map(matmulWork);
    case 'matmul4096':
      return [matmulWork(4096)];
    case 'nets':
      return [
        netWork('DenseNet161', batch, 224, DENSENET161, null),
        netWork('joint net', batch, 224, DENSENET161, { features: 512, widths: FCNN_WIDTHS }),
      ];
    case 'tiny':
      return [
        denseWork(batch, 8, 8, 4, 2),
        netWork('small joint net', batch, 32, TINY, { features: 16, widths: [4, 8, 12] }),
        ...distinct(densenetConvs(batch, 32, TINY)),
        matmulWork(40),
        ...gradientWorks(convWork(batch, 5, 6, 9, 3, 2)),
      ];
  }
}

const distinct = (works: readonly ConvWork[]): ConvWork[] => [
  ...new Map(works.map((work) => [work.name, work])).values(),
];

/** wavelight's net of the work. */
export const netOf = ({ video, audio, classes }: Pick<NetWork, 'video' | 'audio' | 'classes'>) =>
  audio === null
    ? new DenseNet(video, classes)
    : new JointNet(new Fcnn({ ...audio, dropout: 0 }), new DenseNetExtractor(video), classes);

function netWork(
  title: string,
  batch: number,
  side: number,
  video: NetWork['video'],
  audio: NetWork['audio'],
): NetWork {
  const sound: TensorSpec = { name: 'audio', shape: [batch, 6, 128, 39], kind: 'normal', scale: 1 };
  const picture = (...shape: number[]): TensorSpec => ({
    name: 'frames',
    shape: [...shape, 3, side, side],
    kind: 'normal',
    scale: 1,
  });
  const net = netOf({ video, audio, classes: CLASSES });
  const parameters = [...net.namedTensors()].flatMap(([name, entry]) =>
    entry instanceof Parameter ? [{ name, shape: entry.shape }] : [],
  );
  const convs = densenetConvs(audio === null ? batch : 2 * batch, side, video);
  return {
    kind: 'net',
    name: `${title}, batch ${batch}, ${side} x ${side}`,
    video,
    audio,
    classes: CLASSES,
    inputs: audio === null ? [picture(batch)] : [sound, picture(batch, 2)],
    parameters,
    output: [batch, CLASSES],
    forwardFlops: convs.reduce((sum, conv) => sum + flopsOf(conv), fcnnFlops(batch, parameters)),
  };
}

/** Pixels of FCNN's maps in each block, for log-mel features [6, 128, 39]. */
const FCNN_PIXELS = [64 * 20, 32 * 10, 16 * 5, 8 * 2];

/** The distinct convolutions of FCNN for log-mel features [6, 128, 39]. */
const fcnnConvs = (batch: number, [a, b, c]: typeof FCNN_WIDTHS, features: number): ConvWork[] => [
  convWork(batch, 6, a, [128, 39], 5, 2),
  convWork(batch, a, a, [64, 20], 3, 1),
  convWork(batch, a, b, [32, 10], 3, 1),
  convWork(batch, b, b, [32, 10], 3, 1),
  convWork(batch, b, c, [16, 5], 3, 1),
  convWork(batch, c, c, [16, 5], 3, 1),
  convWork(batch, c, features, [8, 2], 1, 1),
];

/** Floating-point operations of FCNN's convolutions, forward. Each weight is used once for every pixel. */
function fcnnFlops(batch: number, parameters: NetWork['parameters']): number {
  const flops = parameters.map(({ name, shape }) => {
    const block = /^audio\.block(\d)\.conv/.exec(name)?.[1];
    return block === undefined ? 0 : 2 * batch * elements(shape) * (FCNN_PIXELS[Number(block) - 1] ?? 0);
  });
  return flops.reduce((sum, value) => sum + value, 0);
}
