import { Command, InvalidArgumentError, Option } from 'commander';
import { fetchWeights, findWeights, listWeights, WEIGHT_NAMES } from '../avsc/node/fetch/weights.ts';
import { withInterrupt } from './interrupt.ts';
import { UsageError } from './options.ts';
import { print } from './output.ts';
import { showProgress, type Progress } from './progress.ts';
import { say } from './say.ts';

interface FetchWeightsOptions {
  readonly out: string;
  readonly mirror?: string;
  readonly json?: true;
}

/** `fetch-weights NAME`: downloads published weights by https. */
export function fetchWeightsCommand(): Command {
  return new Command('fetch-weights')
    .description('fetches published weights by https; resumes an interrupted download')
    .argument('<name>', 'name from the list below')
    .option('--out <dir>', 'folder of the file', 'weights')
    .addOption(
      new Option('--mirror <url>', 'base URL of a mirror that has the file under the same name').argParser(
        webAddress,
      ),
    )
    .option('--json', 'print what was fetched as JSON')
    .addHelpText('after', `\nNames, sizes, licences:\n${listWeights()}`)
    .action(async (name: string, options: FetchWeightsOptions) => {
      if (!WEIGHT_NAMES.includes(name)) {
        throw new UsageError(`there are no weights ${name}: choose one of ${WEIGHT_NAMES.join(', ')}`);
      }
      await withInterrupt((signal) => fetchNamed(name, options, signal));
    });
}

function webAddress(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  throw new InvalidArgumentError('It must be a URL that begins with https: or http:.');
}

async function fetchNamed(
  name: string,
  { out, mirror, json }: FetchWeightsOptions,
  signal: AbortSignal,
): Promise<void> {
  const source = findWeights(name);
  const bar = progressBar(name);
  const done = await fetchWeights(source, {
    folder: out,
    ...(mirror === undefined ? {} : { mirror }),
    signal,
    onProgress: bar.update,
    onNote: bar.note,
  }).finally(bar.end);
  const { path, bytes, sha256, wasThere } = done;
  const { architecture, classes, licence } = source;
  if (json) {
    await print(JSON.stringify({ name, path, bytes, sha256, wasThere, architecture, classes, licence }));
    return;
  }
  const lines = [`${path}: ${wasThere ? 'was there, ' : ''}${bytes} bytes, SHA-256 ${sha256}`];
  if (source.sha256 === undefined) lines.push('its publisher names no SHA-256 to compare this with');
  lines.push(`licence: ${licence}`);
  if (architecture !== undefined) {
    const output = `${out}/${name}.safetensors`;
    lines.push(`next: wavelight import ${path} --arch ${architecture} --classes ${classes} --out ${output}`);
  }
  await print(lines.join('\n'));
}

/** A progress bar over the megabytes that are still to download. */
function progressBar(name: string) {
  let shown: { readonly progress: Progress; readonly start: number } | undefined;
  const end = (): void => {
    shown?.progress.end();
    shown = undefined;
  };
  return {
    update: (done: number, start: number, total: number | null): void => {
      if (total === null) return;
      if (shown === undefined || done === start) {
        end();
        if (start > 0) say(`${name}: going on after ${megabytes(start)} MB`);
        shown = { progress: showProgress(name, megabytes(total - start), 'MB'), start };
      }
      shown.progress.update(megabytes(done - shown.start));
    },
    note: (text: string): void => {
      end();
      say(text);
    },
    end,
  };
}

const megabytes = (bytes: number): number => Number((bytes / 1e6).toFixed(1));
