// The page: a camera and a microphone, or a recording, judged second by second.

import { DeviceLostError } from 'wavelight';
import {
  parseCategories,
  SCENES,
  SceneClassifier,
  type Explanation,
  type SceneInput,
  type StageTimes,
} from 'wavelight/avsc';
import { dropped } from '../shared/drop.ts';
import { openStream } from '../shared/stream.ts';
import { chooseModel, forgetModel, keepModel, keptModels } from '../shared/models.ts';
import { byId, explainProblem, missingWebGpu, say } from '../shared/page.ts';
import { Session, SHIPPED_NAME } from '../shared/session.ts';
import { showCosts } from './costs.ts';
import { makeRecording } from './made.ts';
import { showFrames, showSound } from './pictures.ts';
import { openRecording, type Recording } from './recording.ts';
import { clearScenes, showScenes, words, type Judged } from './scenes.ts';
import { Timeline } from './timeline.ts';

const CATEGORIES = /^categories.*\.txt$/;
const WEIGHTS = /\.(safetensors|pth|pt|th|tar|h5|hdf5|weights)$/i;

const [listen, make, stop, forget] = [
  byId('listen', 'button'),
  byId('make', 'button'),
  byId('stop', 'button'),
  byId('forget', 'button'),
];
const [recordingInput, modelInput, explain] = [
  byId('recording', 'input'),
  byId('model', 'input'),
  byId('explain', 'input'),
];
const [choice, made] = [byId('choice', 'select'), byId('made', 'select')];

/** What the page works with. One thing at a time is under way, which `working` ends. */
interface State {
  readonly session: Session;
  working: AbortController | null;
  timeline: Timeline | null;
  /** Names of the classes of published weights, once they were dropped. */
  classNames: readonly string[] | null;
  /** The last listing of the models, which is the one that shows. */
  listing: number;
}

async function main(): Promise<void> {
  made.append(...SCENES.map((scene) => new Option(words(scene), scene)));
  const missing = missingWebGpu();
  if (missing !== null) {
    say(missing, 'problem');
    return;
  }
  const state: State = {
    session: await Session.open({
      onWaiting: () => enable(false),
      onReady: () => showModel(state),
    }),
    working: null,
    timeline: null,
    classNames: null,
    listing: 0,
  };
  listen.onclick = () => void run(state, (signal) => live(state, signal));
  stop.onclick = () => state.working?.abort();
  make.onclick = () =>
    void run(state, (signal) => {
      const scene = SCENES.find((name) => name === made.value) ?? SCENES[0];
      return judge(state, makeRecording(scene, String(Date.now())), signal);
    });
  explain.onchange = () => document.body.toggleAttribute('data-explaining', explain.checked);
  recordingInput.onchange = () => take(state, recordingInput);
  modelInput.onchange = () => take(state, modelInput);
  choice.onchange = () =>
    void run(state, () => {
      chooseModel(choice.value === SHIPPED_NAME ? null : choice.value);
      return state.session.loadChosen();
    });
  forget.onclick = () =>
    void run(state, async () => {
      await forgetModel(choice.value);
      await state.session.loadChosen();
    });
  dropped((files) => void open(state, files));
  await run(state, () => state.session.loadChosen());
}

/** Files of an input, which can be chosen again afterwards. */
function take(state: State, input: HTMLInputElement): void {
  const files = [...(input.files ?? [])];
  input.value = '';
  void open(state, files);
}

/** Opens what was chosen or dropped: names of classes, a model, a recording. */
async function open(state: State, files: readonly File[]): Promise<void> {
  await run(state, async (signal) => {
    const names = files.find(({ name }) => CATEGORIES.test(name));
    if (names !== undefined) state.classNames = parseCategories(await names.text());
    const model = files.find(({ name }) => WEIGHTS.test(name));
    const recording = files.find((file) => file !== model && file !== names);
    if (model !== undefined) await openModel(state, model);
    else if (names !== undefined && recording === undefined)
      say(`${names.name} has the names of ${state.classNames?.length ?? 0} classes: open the weights now.`);
    if (recording === undefined) return;
    say(`Opening ${recording.name} …`);
    await judge(state, await openRecording(recording), signal);
  });
}

async function openModel(state: State, file: File): Promise<void> {
  const { session, classNames } = state;
  const name = file.name.replace(/\.safetensors$/, '');
  await session.load({ name, source: file, ...(classNames && { classNames }) });
  // Published weights are large, and no model of this page: they are used, but not kept.
  if (!(session.model instanceof SceneClassifier)) return;
  await keepModel(name, file);
  chooseModel(name);
  await listModels(state);
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
    // The session says of a lost device, and opens it again.
    const isKnown = working.signal.aborted || error instanceof DeviceLostError;
    if (!isKnown) say(explainProblem(error), 'problem');
  } finally {
    if (state.working === working) {
      state.working = null;
      stop.hidden = true;
    }
  }
}

function enable(on: boolean): void {
  listen.disabled = make.disabled = recordingInput.disabled = !on;
}

async function showModel(state: State): Promise<void> {
  const { model } = state.session;
  if (model === null) return;
  clearScenes(model.names);
  enable(true);
  // Published weights have no Grad-CAM, and no sound.
  explain.disabled = make.disabled = !(model instanceof SceneClassifier);
  await listModels(state);
}

async function listModels(state: State): Promise<void> {
  const listing = (state.listing += 1);
  const kept = await keptModels();
  if (listing !== state.listing) return;
  const { modelName } = state.session;
  const names = new Set([SHIPPED_NAME, ...kept, ...(modelName === null ? [] : [modelName])]);
  choice.replaceChildren(...[...names].map((name) => new Option(name, name, false, name === modelName)));
  forget.hidden = modelName === null || modelName === SHIPPED_NAME;
}

async function live(state: State, signal: AbortSignal): Promise<void> {
  const { model } = state.session;
  if (model === null) return;
  say('Waiting for the camera and the microphone …');
  const stream = await openStream();
  try {
    const has = (kind: string): boolean => stream.getTracks().some((track) => track.kind === kind);
    const lacks = !has('audio') ? ' There is no microphone.' : !has('video') ? ' There is no camera.' : '';
    say(`Listening and looking.${lacks}`);
    for await (const { input, dropped: left, milliseconds, ...judged } of model.listen(stream, { signal }))
      await show(state, input, judged, { milliseconds, left });
  } finally {
    for (const track of stream.getTracks()) track.stop();
    say('Stopped.');
  }
}

async function judge(state: State, recording: Recording, signal: AbortSignal): Promise<void> {
  const { model } = state.session;
  state.timeline?.close();
  const timeline = new Timeline(recording, (second, judged) => {
    showScenes(judged);
    void recording.input(second).then((input) => picture(state, input));
  });
  state.timeline = timeline;
  for (let second = 0; second < recording.seconds && model !== null; second++) {
    const input = await recording.input(second);
    const { milliseconds, ...judged } = await model.classify(input);
    signal.throwIfAborted();
    timeline.add(judged);
    await show(state, input, judged, { milliseconds, left: 0 });
    say(`${recording.name}: ${second + 1} of ${recording.seconds} seconds`);
  }
}

interface Measured {
  readonly milliseconds: StageTimes;
  readonly left: number;
}

async function show(
  state: State,
  input: SceneInput,
  judged: Judged,
  { milliseconds, left }: Measured,
): Promise<void> {
  showScenes(judged);
  const { explanation, drawing } = await picture(state, input);
  const { description, counters } = state.session.device;
  showCosts({
    ...milliseconds,
    explanation,
    drawing,
    dropped: left,
    held: counters.bytesHeld,
    adapter: description.name,
  });
}

/** Draws a second; gives the milliseconds of that. */
async function picture(
  { session: { model } }: State,
  input: SceneInput,
): Promise<{ readonly explanation: number; readonly drawing: number }> {
  if (model === null) return { explanation: 0, drawing: 0 };
  const started = performance.now();
  const explanation: Explanation | null =
    explain.checked && model instanceof SceneClassifier ? await model.explain(input) : null;
  const explained = performance.now();
  showFrames(input, model.imageSize, explanation);
  showSound(input, explanation);
  return { explanation: explained - started, drawing: performance.now() - explained };
}

main().catch((error: unknown) => say(explainProblem(error), 'problem'));
