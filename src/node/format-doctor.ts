import { formatBytes } from '../gpu/storage.ts';
import { installCommand } from './packages.ts';
import type { AdapterReport, AdapterSource, DoctorReport } from './doctor.ts';

/** Features that the engine uses. */
const SHOWN_FEATURES = [
  'shader-f16',
  'subgroups',
  'chromium-experimental-subgroup-matrix',
  'timestamp-query',
];

/** The report as text. */
export function formatDoctor(report: DoctorReport): string {
  const { processor, memory, disk, vulkan, chosen, ceilings, media } = report;
  const lines: [string, string][] = [
    ['node', `${report.node} on ${report.platform}`],
    ['processor', `${processor.model}, ${processor.threads} threads`],
    ['memory', `${formatBytes(memory.freeBytes)} free of ${formatBytes(memory.totalBytes)}`],
    ...addressLine(memory.addressSpace),
    ['disk', `${formatBytes(disk.freeBytes)} free in ${disk.folder}`],
    ['vulkan loader', vulkan.loader ?? 'none (the one from npm is used)'],
    ['vulkan drivers', vulkan.drivers.join(', ') || 'none'],
    ['packages', describeMissing(report.missingPackages)],
    ...report.adapters.map((source): [string, string] => [source.source, describeSource(source)]),
    [
      'auto takes',
      chosen ? `${chosen.name}: ${chosen.why}` : 'nothing: no adapter works here, so no training',
    ],
  ];
  if (ceilings) {
    const { fmaGflops, copyGBps, dispatchMicroseconds, readbackMilliseconds } = ceilings;
    lines.push([
      'ceilings',
      `f32 multiply-add ${fmaGflops.toFixed(1)} GFLOP/s, copy ${copyGBps.toFixed(1)} GB/s, ` +
        `dispatch ${dispatchMicroseconds.toFixed(1)} us, readback ${readbackMilliseconds.toFixed(2)} ms`,
    ]);
  }
  const decoders = `video ${media.video.join(' ')}; audio ${media.audio.join(' ')}`;
  lines.push(['media decoders', media.problem === null ? decoders : `none: ${media.problem}`]);
  return lines.map(([name, text]) => `${name.padEnd(22)}${text}`).join('\n');
}

const describeMissing = (missing: readonly string[]): string =>
  missing.length === 0 ? 'all there' : `missing ${missing.join(', ')}: ${installCommand(missing)}`;

function addressLine(space: DoctorReport['memory']['addressSpace']): [string, string][] {
  if (space === null) return [];
  const { limitBytes, freeBytes } = space;
  return [
    [
      'address space',
      `${formatBytes(freeBytes)} free of the ${formatBytes(limitBytes)} that ulimit -v allows`,
    ],
  ];
}

function describeSource({ adapter, problem }: AdapterSource): string {
  if (adapter === null) return problem === null ? 'none that Dawn accepts' : `none: ${problem}`;
  const parts = [
    `${adapter.name} (${adapter.kind === 'gpu' ? 'hardware' : 'software'})`,
    `bindings up to ${formatBytes(adapter.limits['maxStorageBufferBindingSize'] ?? 0)}`,
    SHOWN_FEATURES.filter((name) => adapter.features.includes(name)).join(' '),
    describeMatrices(adapter),
  ];
  return parts.filter((part) => part !== '').join('; ');
}

function describeMatrices({ subgroupMatrices }: AdapterReport): string {
  const configs = subgroupMatrices.map(
    ({ componentType, resultComponentType, M, N, K }) =>
      `${componentType} ${M}x${N}x${K} into ${resultComponentType}`,
  );
  return configs.length > 0 ? `subgroup matrices ${configs.join(', ')}` : '';
}
