// The inputs of nets that are made of sound.

import { elementCount } from '../../tensor/graph/shape.ts';
import { joinSeconds, type Stereo } from '../audio/clip.ts';
import { SOUND_INPUTS, type SoundInputName } from './inputs.ts';
import { LogMelExtractor, type Scaling } from './logmel.ts';
import { OpenL3Extractor } from './openl3.ts';

/** An input made of the seconds of a clip, [seconds, ...]. */
export function soundInput(
  seconds: readonly Stereo[],
  input: SoundInputName,
  scaling: Scaling,
): Float32Array<ArrayBuffer> {
  const values = elementCount(SOUND_INPUTS[input]);
  const out = new Float32Array(seconds.length * values);
  const room = (i: number): Float32Array => out.subarray(i * values, (i + 1) * values);
  switch (input) {
    case 'logmel': {
      const range = scaling === 'clip' ? logMel().range(joinSeconds(seconds)) : undefined;
      seconds.forEach((second, i) => room(i).set(logMel().extract(second, range).data));
      return out;
    }
    case 'openl3':
      seconds.forEach((second, i) => openL3().extract(second, room(i)));
      return out;
    case 'waveform':
      seconds.forEach(([left, right], i) => {
        room(i).set(left);
        room(i).set(right, left.length);
      });
      return out;
  }
}

// Extractors keep their tables and scratch for the life of the thread.
let logMelExtractor: LogMelExtractor | undefined;
let openL3Extractor: OpenL3Extractor | undefined;
const logMel = (): LogMelExtractor => (logMelExtractor ??= new LogMelExtractor());
const openL3 = (): OpenL3Extractor => (openL3Extractor ??= new OpenL3Extractor());
