// The page: a camera and a microphone, or a recording, judged second by second.

import { Device } from 'wavelight';
import { SceneClassifier, type Explanation, type SceneInput, type SceneResult } from 'wavelight/avsc';
import { byId, explainProblem, missingWebGpu, say } from '../shared/page.ts';
import { showFrame, showSound } from './pictures.ts';
import { openRecording, type Recording } from './recording.ts';
import { showScenes } from './scenes.ts';
import { Timeline } from './timeline.ts';

/** The model that comes with the page, beside it. */
const MODEL = new URL('model.safetensors', document.baseURI);

const [listen, stop] = [byId('listen', 'button'), byId('stop', 'button')];
const [recordingInput, modelInput, explain] = ['recording', 'model', 'explain'].map((id) =>
  byId(id, 'input'),
) as [HTMLInputElement, HTMLInputElement, HTMLInputElement];

/** What the page works with. One thing at a time is under way, which `working` ends. */
interface State {
  device: Device;
  scene: SceneClassifier | null;
  working: AbortController | null;
  recording: Recording | null;
}

async function main(): Promise<void> {
  const missing = missingWebGpu();
  if (missing !== null) {
    say(missing, 'problem');
    return;
  }
  const state: State = { device: await Device.create(), scene: null, working: null, recording: null };
  watch(state);
  listen.onclick = () => void run(state, (signal) => live(state, signal));
  stop.onclick = () => state.working?.abort();
  modelInput.onchange = () => {
    const [file] = modelInput.files ?? [];
    if (file) void run(state, (signal) => load(state, file, signal));
  };
  recordingInput.onchange = () => {
    const [file] = recordingInput.files ?? [];
    if (file) void run(state, (signal) => judgeFile(state, file, signal));
  };
  await run(state, (signal) => load(state, MODEL, signal));
}

/** Runs one thing after ending the one before; says what went wrong. */
async function run(state: State, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  state.working?.abort();
  const working = new AbortController();
  state.working = working;
  stop.hidden = false;
  try {
    await work(working.signal);
  } catch (error) {
    if (!working.signal.aborted) say(explainProblem(error), 'problem');
  } finally {
    if (state.working === working) {
      state.working = null;
      stop.hidden = true;
    }
  }
}

async function load(state: State, source: URL | File, signal: AbortSignal): Promise<void> {
  const what = source instanceof File ? source.name : 'the model';
  const scene = await SceneClassifier.load(state.device, source, {
    signal,
    onProgress: ({ loaded, total }) =>
      say(
        `Loading ${what}: ${total === null ? `${loaded} bytes` : `${Math.round((100 * loaded) / total)} %`}`,
      ),
  }).catch((error: unknown) => {
    if (source instanceof File || signal.aborted) throw error;
    throw new Error(
      `No model comes with this page (${explainProblem(error)}). Choose one: a run's model.safetensors, or what "wavelight export RUN --format safetensors --all" writes.`,
    );
  });
  state.scene?.dispose();
  state.scene = scene;
  listen.disabled = recordingInput.disabled = false;
  const { name, kind } = state.device.description;
  say(
    `Ready, on ${name}${kind === 'cpu' ? ', which is software: a second takes longer than on a GPU' : ''}.`,
  );
}

async function live(state: State, signal: AbortSignal): Promise<void> {
  if (state.scene === null) return;
  say('Waiting for the camera and the microphone …');
  const stream = await openStream();
  try {
    say('Listening and looking.');
    let started = performance.now();
    for await (const { input, dropped, ...result } of state.scene.listen(stream, { signal })) {
      await show(state, input, result);
      facts(state, performance.now() - started, dropped);
      started = performance.now();
    }
  } finally {
    for (const track of stream.getTracks()) track.stop();
    say('Stopped.');
  }
}

/** Camera and microphone, or the one of them that there is. */
async function openStream(): Promise<MediaStream> {
  const devices = (navigator as Partial<Navigator>).mediaDevices;
  if (devices === undefined)
    throw new Error('Camera and microphone need https: open this page by https, or from localhost.');
  const sound = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  try {
    return await devices.getUserMedia({ audio: sound, video: true });
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'NotFoundError') throw error;
    return devices.getUserMedia({ audio: sound }).catch(() => devices.getUserMedia({ video: true }));
  }
}

async function judgeFile(state: State, file: File, signal: AbortSignal): Promise<void> {
  const { scene } = state;
  if (scene === null) return;
  say(`Opening ${file.name} …`);
  state.recording?.close();
  const recording = await openRecording(file, byId('player', 'video'));
  state.recording = recording;
  const timeline = new Timeline(file.name, (second, { input, result }) => {
    if (recording.video !== null) recording.video.currentTime = second;
    void show(state, input, result);
  });
  for (let second = 0; second < recording.seconds; second++) {
    const started = performance.now();
    const input = await recording.input(second);
    const result = await scene.classify(input);
    signal.throwIfAborted();
    timeline.add({ input, result });
    await show(state, input, result);
    facts(state, performance.now() - started, 0);
    say(`${file.name}: ${second + 1} of ${recording.seconds} seconds`);
  }
}

async function show(state: State, input: SceneInput, result: SceneResult): Promise<void> {
  showScenes(result);
  const explanation: Explanation | null =
    explain.checked && state.scene !== null ? await state.scene.explain(input) : null;
  showFrame(input, explanation);
  showSound(input, explanation);
}

function facts({ device }: State, milliseconds: number, dropped: number): void {
  const { description, counters } = device;
  const memory = (counters.bytesHeld / 2 ** 20).toFixed(0);
  const lost = dropped > 0 ? `, ${dropped} seconds dropped` : '';
  byId('facts', 'p').textContent =
    `${description.name}: ${milliseconds.toFixed(0)} ms for the last second${lost}, ${memory} MiB held`;
}

/** Opens a lost device again, with the model that is loaded. */
function watch(state: State): void {
  const { device } = state;
  void device.lost.then(async ({ reason }) => {
    if (state.device !== device) return;
    say(`The GPU was lost (${reason}): opening it again …`, 'problem');
    state.working?.abort();
    await device.destroy();
    state.scene = null;
    listen.disabled = recordingInput.disabled = true;
    try {
      state.device = await Device.create();
      watch(state);
      const [file] = modelInput.files ?? [];
      await run(state, (signal) => load(state, file ?? MODEL, signal));
    } catch (error) {
      say(explainProblem(error), 'problem');
    }
  });
}

main().catch((error: unknown) => say(explainProblem(error), 'problem'));
