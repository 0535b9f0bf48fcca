/*
 * Keras 2's HDF5 files, of weights alone or of a whole model, whose weights are in the group `model_weights`. The group's
 * attribute `layer_names` lists the layers; each layer's group lists its data sets in `weight_names`. Lists that are too
 * long for one attribute continue in `layer_names0`, `layer_names1` and so on.
 */
import { checkpointTensor, type CheckpointFile, type CheckpointTensor } from '../checkpoint.ts';
import { readAttributes, readTexts, type Attributes } from './attributes.ts';
import { openDataset, type Dataset } from './dataset.ts';
import { openHdf5, type Hdf5File } from './file.ts';
import { readMessages } from './header.ts';
import { readLinks, type Links } from './links.ts';
import { quote } from '../quote.ts';
import type { ByteSource } from '../source.ts';

/** Attributes of a model's file that become metadata. */
const METADATA = ['keras_version', 'backend'];

/** Upper bound on the decompressed size of all weights: this factor of their stored size, plus a constant. */
const MOST_GROWTH = 64;
const GROWTH_ALLOWED = 32 * 1024 * 1024;

/**
 * Opens a file. The tensors are the layers' weights in Keras' order and layout, by their names without ':0' (conv2d_1/kernel);
 * those of the optimizer are left out. Throws an Error of one sentence if the file is damaged, or HDF5 but not from Keras 2.
 */
export async function readKeras(source: ByteSource): Promise<CheckpointFile> {
  const file = await openHdf5(source);
  const root = await openGroup(file, file.root);
  const metadata = new Map<string, string>();
  const model = root.links.get('model_weights');
  const weights = model === undefined ? root : await openGroup(file, model);
  for (const holder of [root, weights]) {
    for (const name of METADATA) {
      const text = (await readTexts(file, holder.attributes, name))?.[0];
      if (text !== undefined) metadata.set(name, text);
    }
  }
  const layers = await readList(file, weights.attributes, 'layer_names');
  if (layers === undefined) throw new Error(notKeras(root.links));
  const tensors = new Map<string, CheckpointTensor>();
  const sizes = { stored: 0, unpacked: 0 };
  for (const layer of layers) {
    const group = await openGroup(file, follow(weights.links, layer, `layer ${quote(layer)}`));
    for (const path of (await readList(file, group.attributes, 'weight_names')) ?? []) {
      const name = path.replace(/:0$/, '');
      if (tensors.has(name)) throw new Error(`the Keras file has two weights named ${quote(name)}`);
      const dataset = await openWeight(file, group.links, path);
      sizes.stored += dataset.stored;
      sizes.unpacked += dataset.unpacked;
      checkSizes(sizes, source.size);
      const { dtype, shape } = dataset;
      tensors.set(
        name,
        checkpointTensor(name, dtype, shape, () => dataset.readBytes()),
      );
    }
  }
  return { format: 'keras-hdf5', tensors, metadata };
}

interface Group {
  readonly links: Links;
  readonly attributes: Attributes;
}

async function openGroup(file: Hdf5File, address: number): Promise<Group> {
  const messages = await readMessages(file, address);
  return { links: await readLinks(file, messages), attributes: await readAttributes(file, messages) };
}

function follow(links: Links, name: string, what: string): number {
  const address = links.get(name);
  if (address !== undefined) return address;
  throw new Error(
    links.has(name)
      ? `${what} of the Keras file is a link by path or into another file, which is not followed`
      : `the Keras file lists ${what}, but does not hold it`,
  );
}

/** Opens a weight by its path; slashes separate groups. */
async function openWeight(file: Hdf5File, links: Links, path: string): Promise<Dataset> {
  const what = `weight ${quote(path)}`;
  const parts = path.split('/');
  const last = parts.pop() ?? '';
  let inside = links;
  for (const part of parts)
    inside = await readLinks(file, await readMessages(file, follow(inside, part, what)));
  return openDataset(file, follow(inside, last, what), what);
}

/** The texts of an attribute, or of its parts with the suffixes 0, 1, ... */
async function readList(
  file: Hdf5File,
  attributes: Attributes,
  name: string,
): Promise<readonly string[] | undefined> {
  const whole = await readTexts(file, attributes, name);
  if (whole !== undefined) return whole;
  const all: string[] = [];
  for (let part = 0; ; part++) {
    const texts = await readTexts(file, attributes, `${name}${part}`);
    if (texts === undefined) return part === 0 ? undefined : all;
    all.push(...texts);
  }
}

/** Checks the stored and unpacked sizes against the file's. Real weights neither share bytes nor compress well. */
function checkSizes({ stored, unpacked }: { stored: number; unpacked: number }, size: number): void {
  if (stored > size)
    throw new Error(`the weights of the Keras file overlap: they take more than its ${size} bytes`);
  if (unpacked > MOST_GROWTH * stored + GROWTH_ALLOWED) {
    throw new Error(
      `the weights of the Keras file would grow from ${stored} to ${unpacked} bytes when they are unpacked, which no real ones do`,
    );
  }
}

function notKeras(links: Links): string {
  return links.has('layers')
    ? 'the file holds weights of Keras 3 (.weights.h5), which are not read: save them from Keras 2 as .h5'
    : 'the file is HDF5, but not of Keras: it has no layer_names';
}
