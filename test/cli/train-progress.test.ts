import { afterEach, expect, it, vi } from 'vitest';
import { showTraining } from '../../src/cli/train-progress.ts';

const { isTTY } = process.stderr;

afterEach(() => {
  process.stderr.isTTY = isTTY;
  vi.restoreAllMocks();
});

it('gives the cursor back when a stage ends early', () => {
  process.stderr.isTTY = true;
  let written = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
  const display = showTraining();
  display.events.onStage?.('audio', { steps: 10, parameters: 3, trained: 3 });
  display.events.onStep?.(1, 0.5);
  const [hide, show] = ['\x1b[?25l', '\x1b[?25h'];
  expect(written.lastIndexOf(hide)).toBeGreaterThan(written.lastIndexOf(show));
  display.end();
  expect(written.lastIndexOf(show)).toBeGreaterThan(written.lastIndexOf(hide));
});
