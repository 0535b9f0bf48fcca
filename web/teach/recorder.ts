// Records seconds from the camera and the microphone, and shows what comes in.

import type { SceneInput, SceneTeacher } from 'wavelight/avsc';
import { byId } from '../shared/page.ts';
import { openStream } from '../shared/stream.ts';

const SECONDS = 10;

/** The next ten seconds, or those until `signal` aborts. Throws what `openStream` throws. */
export async function record(
  teacher: SceneTeacher,
  place: string,
  signal: AbortSignal,
): Promise<readonly SceneInput[]> {
  const [area, preview, recorded] = [
    byId('recorder', 'div'),
    byId('preview', 'video'),
    byId('recorded', 'progress'),
  ];
  const stream = await openStream();
  const inputs: SceneInput[] = [];
  const hush = showLevel(stream);
  const show = (): void => {
    recorded.value = inputs.length;
    byId('recorded-text', 'span').textContent = `${place}: ${SECONDS - inputs.length} s to go`;
  };
  try {
    area.hidden = false;
    preview.hidden = stream.getVideoTracks().length === 0;
    preview.srcObject = stream;
    void preview.play().catch(() => undefined);
    show();
    for await (const input of teacher.seconds(stream, { signal })) {
      inputs.push(input);
      show();
      if (inputs.length === SECONDS) break;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    hush();
    preview.srcObject = null;
    area.hidden = true;
    for (const track of stream.getTracks()) track.stop();
  }
  return inputs;
}

/** Moves the meter with the sound; gives what ends that. */
function showLevel(stream: MediaStream): () => void {
  const meter = byId('level', 'meter');
  if (stream.getAudioTracks().length === 0) return () => undefined;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
    // From -60 dB to 0 dB.
    meter.value = Math.max(0, Math.min(1, 1 + Math.log10(power + 1e-12) / 6));
  }, 100);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}
