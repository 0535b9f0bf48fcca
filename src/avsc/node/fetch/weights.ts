// URLs of published weights, and their download.

import { join } from 'node:path';
import { messageOf, StorageError } from '../../../node/files.ts';
import type { ArchitectureName } from '../../weights/architecture.ts';
import { download, type Downloaded, type DownloadOptions } from './download.ts';

interface WeightSource {
  readonly name: string;
  readonly url: string;
  /** Undefined for files that only accompany weights. */
  readonly architecture?: ArchitectureName;
  /** Classes of the head. */
  readonly classes?: number;
  /** Approximate size. */
  readonly megabytes: number;
  /** First digits of the SHA-256, if the publisher puts them into the file's name. */
  readonly sha256?: string;
  readonly licence: string;
  /** Hint where else to look when the host is down. */
  readonly elsewhere: string;
}

const places = (architecture: 'densenet161' | 'resnet18' | 'resnet50', megabytes: number): WeightSource => ({
  name: `${architecture}_places365`,
  url: `https://places2.csail.mit.edu/models_places365/${architecture}_places365.pth.tar`,
  architecture,
  classes: 365,
  megabytes,
  licence: 'CC BY (Zhou et al., Places: A 10 million image database for scene recognition, 2017)',
  elsewhere:
    'places2.csail.mit.edu is often down, so look for copies of the file by its name, from https://github.com/CSAILVision/places365 and its issues on',
});

const torchvision = (
  architecture: 'densenet161' | 'resnet18' | 'resnet50',
  sha256: string,
  megabytes: number,
): WeightSource => ({
  name: `${architecture}_imagenet`,
  url: `https://download.pytorch.org/models/${architecture}-${sha256}.pth`,
  architecture,
  classes: 1000,
  megabytes,
  sha256,
  licence: 'BSD-3-Clause (torchvision); trained on ImageNet, whose pictures are for non-commercial research',
  elsewhere: `look at https://huggingface.co/timm/${architecture}.tv_in1k, or let torchvision fetch it on another machine`,
});

const SOURCES: readonly WeightSource[] = [
  places('densenet161', 110),
  places('resnet18', 45),
  places('resnet50', 97),
  torchvision('densenet161', '8d451a50', 116),
  torchvision('resnet18', 'f37072fd', 47),
  torchvision('resnet50', '0676ba61', 103),
  {
    name: 'resnest50_imagenet',
    url: 'https://github.com/zhanghang1989/ResNeSt/releases/download/weights_step1/resnest50-528c19ca.pth',
    architecture: 'resnest50',
    classes: 1000,
    megabytes: 110,
    sha256: '528c19ca',
    licence: 'Apache-2.0 (Zhang et al., ResNeSt: Split-Attention Networks, 2020)',
    elsewhere: 'look at https://github.com/zhanghang1989/ResNeSt, which names other hosts',
  },
  {
    name: 'categories_places365',
    url: 'https://raw.githubusercontent.com/CSAILVision/places365/master/categories_places365.txt',
    megabytes: 0.01,
    licence: 'MIT',
    elsewhere: 'look at https://github.com/CSAILVision/places365',
  },
];

export const WEIGHT_NAMES: readonly string[] = SOURCES.map(({ name }) => name);

/** The weights of this name. Throws an Error that lists the names if there are none. */
export function findWeights(name: string): WeightSource {
  const found = SOURCES.find((source) => source.name === name);
  if (found !== undefined) return found;
  throw new Error(`there are no weights ${name}: choose one of ${WEIGHT_NAMES.join(', ')}`);
}

/** Name of the file under which weights are published. */
export const fileOf = ({ url }: WeightSource): string => url.slice(url.lastIndexOf('/') + 1);

/** Names, sizes and licences, one line each. */
export function listWeights(): string {
  const width = Math.max(...WEIGHT_NAMES.map(({ length }) => length));
  return SOURCES.map(
    ({ name, megabytes, licence }) => `  ${name.padEnd(width)}  ${`${megabytes} MB`.padStart(7)}  ${licence}`,
  ).join('\n');
}

interface FetchOptions extends Omit<DownloadOptions, 'sha256'> {
  readonly folder: string;
  /** Base URL of a mirror that has the file under the same name. */
  readonly mirror?: string;
}

/** Downloads weights into a folder, under their publisher's name. Throws an Error that says where else to look. */
export async function fetchWeights(
  source: WeightSource,
  { folder, mirror, ...options }: FetchOptions,
): Promise<Downloaded & { readonly path: string }> {
  const { sha256, elsewhere } = source;
  const file = fileOf(source);
  const url =
    mirror === undefined ? source.url : new URL(file, mirror.endsWith('/') ? mirror : `${mirror}/`).href;
  const path = join(folder, file);
  try {
    const done = await download(url, path, { ...options, ...(sha256 === undefined ? {} : { sha256 }) });
    return { ...done, path };
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof StorageError) throw error;
    throw new Error(
      `${messageOf(error)}; ${elsewhere}: a file from anywhere else works as well, put it at ${path}`,
      {
        cause: error,
      },
    );
  }
}
