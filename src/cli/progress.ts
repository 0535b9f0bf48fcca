// Progress of long work on stderr: a bar on a terminal, else a line now and then.

import { SingleBar } from 'cli-progress';
import { formatBytes, type SpaceEstimate } from '../avsc/node/data/space.ts';
import { say } from './say.ts';

export interface Progress {
  /** `note` is shown beside the count, such as the loss. */
  update(done: number, note?: string): void;
  /** Prints a line above the bar. */
  line(text: string): void;
  end(): void;
}

/** Seconds between two lines where there is no terminal. */
const LINE_EVERY = 10;

/** Starts to show progress from 0 to `total` in `unit`, with the rate and the remaining time. */
export function showProgress(title: string, total: number, unit: string): Progress {
  return process.stderr.isTTY ? bar(title, total, unit) : lines(title, total, unit);
}

/** A callback that shows the progress of embedding, with one bar after another. */
export function showEmbedding(): (part: string, done: number, total: number) => void {
  let progress: Progress | undefined;
  return (part, done, total) => {
    progress ??= showProgress(`embedding ${part}`, total, 'samples');
    progress.update(done);
    if (done < total) return;
    progress.end();
    progress = undefined;
  };
}

function bar(title: string, total: number, unit: string): Progress {
  const single = new SingleBar({
    format: `${title} {bar} {value}/{total} ${unit} {rate} {note}`,
    stream: process.stderr,
    hideCursor: true,
    barsize: 24,
    // Ctrl-C is handled by withInterrupt, which saves first.
    gracefulExit: false,
  });
  const started = performance.now();
  single.start(total, 0, { note: '', rate: '' });
  return {
    update: (done, note = '') => {
      single.update(done, { note, rate: pace(started, done, total, unit) });
    },
    // The bar is drawn again below the line.
    line: (text) => say(`\r\x1b[K${text}`),
    end: () => {
      single.stop();
    },
  };
}

function lines(title: string, total: number, unit: string): Progress {
  const started = performance.now();
  let shown = started;
  return {
    update: (done, note = '') => {
      const now = performance.now();
      if (done < total && now - shown < LINE_EVERY * 1000) return;
      shown = now;
      say(`${title}: ${done}/${total} ${unit} ${pace(started, done, total, unit)} ${note}`.trimEnd());
    },
    line: say,
    end: () => undefined,
  };
}

/** Rate and remaining time, such as `12.5 steps/s, 1:05 left`. */
function pace(started: number, done: number, total: number, unit: string): string {
  const seconds = (performance.now() - started) / 1000;
  const rate = done / Math.max(seconds, 1e-3);
  const left = done < total && rate > 0 ? `, ${clock((total - done) / rate)} left` : '';
  return `${rate.toFixed(rate < 10 ? 2 : 0)} ${unit}/s${left}`;
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Says how much disk space clips will take, where some are still to be made. */
export function sayEstimate({ clips, needed, free }: SpaceEstimate): void {
  say(`${clips} clips to prepare take about ${formatBytes(needed)}; ${formatBytes(free)} are free`);
}
