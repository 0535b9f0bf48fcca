// Converts a file of published weights to a net's names and layout, with a report of what did not fit.

import type { CheckpointFile, CheckpointTensor } from '../../nn/checkpoint/checkpoint.ts';
import type { HostTensor } from '../../nn/state.ts';
import { formatShape, sameShape, type Shape } from '../../tensor/graph/shape.ts';
import type { Architecture, ArchitectureName } from './architecture.ts';
import { shownName, type NamedTensors } from './names.ts';

export interface ImportOptions {
  /** Classes of the head. Default: those of the published weights. */
  readonly classes?: number;
  /** Leave the head out, whatever its number of classes, so that the extractor remains. Default false. */
  readonly dropHead?: boolean;
  /** Files that lie beside the weights (`Architecture.companions`), by name. */
  readonly companions?: NamedTensors;
  /** Sizes of the net (`Architecture.checkOptions`). Default: as published. */
  readonly options?: unknown;
  /** Throw if a tensor is missing, unexpected or of another shape. Default true; if false, it is left out and reported. */
  readonly strict?: boolean;
}

export interface WrongShape {
  readonly name: string;
  readonly file: Shape;
  readonly expected: Shape;
}

/** The outcome for every tensor, under the net's names. */
export interface ImportReport {
  readonly architecture: ArchitectureName;
  readonly loaded: readonly string[];
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly wrongShape: readonly WrongShape[];
  /** Tensors of a dropped head, and of published layers that the net leaves out. */
  readonly dropped: readonly string[];
  /** PyTorch's batch counters (num_batches_tracked), which are not used. */
  readonly ignored: readonly string[];
}

export interface ImportedWeights {
  readonly report: ImportReport;
  /** In the net's order, names and layout; elements are read on demand. */
  readonly tensors: NamedTensors;
}

const IGNORED = 'num_batches_tracked';

/**
 * The file's tensors for `architecture.createClassifier(classes)`, or with `dropHead` for
 * `architecture.createExtractor()`. No elements are read. Throws an Error of one sentence that names the tensors that are
 * missing, unexpected or of another shape, unless `strict` is false.
 */
export function importWeights(
  file: CheckpointFile,
  architecture: Architecture,
  options: ImportOptions = {},
): ImportedWeights {
  const { classes = architecture.classes, dropHead = false, companions = new Map(), strict = true } = options;
  const { head, leftOut } = architecture;
  const given = architecture.adapt(file, companions);
  const net = dropHead
    ? architecture.createExtractor(options.options)
    : architecture.createClassifier(classes, options.options);
  const expected = new Map([...net.namedTensors()].map(([name, { shape }]) => [name, shape]));
  const tensors = new Map<string, CheckpointTensor>();
  const [missing, wrongShape]: [string[], WrongShape[]] = [[], []];
  for (const [name, shape] of expected) {
    const tensor = given.get(name);
    if (tensor === undefined) missing.push(name);
    else if (sameShape(tensor.shape, shape)) tensors.set(name, tensor);
    else wrongShape.push({ name, file: tensor.shape, expected: shape });
  }
  const others = [...given.keys()].filter((name) => !expected.has(name));
  const ignored = others.filter((name) => name.split('.').at(-1) === IGNORED);
  const dropped = others.filter(
    (name) => (dropHead && head.includes(name)) || (leftOut?.test(name) ?? false),
  );
  const unexpected = others.filter((name) => !ignored.includes(name) && !dropped.includes(name));
  const loaded = [...tensors.keys()];
  const report = {
    architecture: architecture.name,
    loaded,
    missing,
    unexpected,
    wrongShape,
    dropped,
    ignored,
  };
  if (strict && problemsOf(report).length > 0) throw new Error(refusal(report, architecture));
  return { report, tensors };
}

/** Reads all elements, for `loadStateDict`. */
export async function readStateDict(tensors: NamedTensors): Promise<Map<string, HostTensor>> {
  const dict = new Map<string, HostTensor>();
  for (const [name, tensor] of tensors) dict.set(name, await tensor.read());
  return dict;
}

/** The report as lines of text, one for each kind, with the names of what did not fit. */
export function formatReport(report: ImportReport): string {
  const { architecture, loaded, dropped, ignored } = report;
  const lines = [
    `${architecture}: ${loaded.length} tensors loaded`,
    ...problemsOf(report).map(({ kind, names }) => `${kind} (${names.length}): ${names.join(', ')}`),
    ...(dropped.length > 0 ? [`dropped with the head (${dropped.length}): ${dropped.join(', ')}`] : []),
    ...(ignored.length > 0 ? [`ignored: ${ignored.length} of ${IGNORED}`] : []),
  ];
  return lines.join('\n');
}

interface Problem {
  readonly kind: string;
  readonly names: readonly string[];
}

function problemsOf({ missing, unexpected, wrongShape }: ImportReport): Problem[] {
  const shapes = wrongShape.map(
    ({ name, file, expected }) => `${name} is ${formatShape(file)} instead of ${formatShape(expected)}`,
  );
  return [
    { kind: 'missing', names: missing },
    { kind: 'unexpected', names: unexpected.map(shownName) },
    { kind: 'wrong shape', names: shapes },
  ].filter(({ names }) => names.length > 0);
}

/** Names of each kind that an error message lists. */
const SHOWN = 12;

function refusal(report: ImportReport, { name, head }: Architecture): string {
  const problems = problemsOf(report).map(({ kind, names }) => {
    const rest = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
    return `${kind} ${names.slice(0, SHOWN).join(', ')}${rest}`;
  });
  const { missing, unexpected, wrongShape, loaded } = report;
  const headOnly =
    missing.length + unexpected.length === 0 && wrongShape.every((wrong) => head.includes(wrong.name));
  const classes = wrongShape[0]?.file[0];
  const way = headOnly
    ? `; its head has ${classes} classes: ask for ${classes} classes, or for its head to be dropped`
    : loaded.length === 0
      ? '; it is of another net'
      : '';
  return `the weights do not fit ${name}: ${problems.join('; ')}${way}`;
}
