import { describe, expect, it } from 'vitest';
import { FORMATS, hostileInput, outcomeOf } from '../../support/hostile/inputs.ts';

const INPUTS = 700;
const MOST_SECONDS = 2;

// tools/fuzz-checkpoints.ts runs far more of them, and measures memory.
describe('hostile checkpoints', () => {
  it.each(FORMATS)(`${INPUTS} of %s are read or refused by one clear sentence`, async (format) => {
    const complaints: string[] = [];
    const sentences = new Set<string>();
    let [read, worst] = [0, 0];
    for (let index = 0; index < INPUTS; index++) {
      const bytes = hostileInput(format, 7, index);
      const start = process.cpuUsage();
      const outcome = await outcomeOf(bytes);
      const { user, system } = process.cpuUsage(start);
      const seconds = (user + system) / 1e6;
      worst = Math.max(worst, seconds);
      if (outcome.read) read++;
      if (outcome.error !== undefined) sentences.add(outcome.error.replace(/"[^"]*"|\d+/g, '#'));
      if (outcome.complaint !== undefined) complaints.push(`${index}: ${outcome.complaint}`);
      if (seconds > MOST_SECONDS) complaints.push(`${index}: ${seconds} s`);
    }
    console.log(`${format}: ${read} read, ${sentences.size} sentences, at most ${worst.toFixed(2)} s`);
    expect(complaints).toEqual([]);
    // Not all fail at the first byte.
    expect(read).toBeGreaterThan(10);
    expect(sentences.size).toBeGreaterThan(20);
  });

  it('is the same for the same seed', () => {
    for (const format of FORMATS) {
      expect(hostileInput(format, 3, 500)).toEqual(hostileInput(format, 3, 500));
      expect(hostileInput(format, 3, 500)).not.toEqual(hostileInput(format, 4, 500));
    }
  });
});
