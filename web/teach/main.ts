// The page: places of one's own, recorded, learned and used.

import { nn } from 'wavelight';
import { SceneClassifier, type SceneInput, type SceneTeacher, type TaughtSecond } from 'wavelight/avsc';
import { dropped } from '../shared/drop.ts';
import { chooseModel, keepModel } from '../shared/models.ts';
import { byId, explainProblem, missingWebGpu, say } from '../shared/page.ts';
import { Session } from '../shared/session.ts';
import { showConfusion } from './confusion.ts';
import { groupFiles, readSeconds } from './files.ts';
import { showPlaces, secondsOf } from './places.ts';
import { record } from './recorder.ts';
import { Store, type KeptRecording, type Place } from './store.ts';
import { Trainings, type Training } from './trainings.ts';

const [trainButton, stop, use, download, add] = [
  byId('train', 'button'),
  byId('stop', 'button'),
  byId('use', 'button'),
  byId('download', 'button'),
  byId('add-place', 'button'),
];
const [nameInput, modelInput, mixup, augmentation, steps, rate, resume] = [
  byId('name', 'input'),
  byId('model', 'input'),
  byId('mixup', 'input'),
  byId('augmentation', 'input'),
  byId('steps', 'input'),
  byId('rate', 'input'),
  byId('resume', 'input'),
];

/** Name under which a taught model is kept. */
const TAUGHT = 'my places';

class TeachPage {
  readonly #trainings = new Trainings();
  #session: Session | null = null;
  #teacher: SceneTeacher | null = null;
  /** Resolves with the next teacher, after a device was lost or another model opened. */
  #coming = Promise.withResolvers<SceneTeacher>();
  #store: Store | null = null;
  #key = '';
  #places: Place[] = [];
  #working: AbortController | null = null;
  #taught: Blob | null = null;

  async start(): Promise<void> {
    this.#trainings.show();
    this.#connect();
    const missing = missingWebGpu();
    if (missing !== null) {
      say(missing, 'problem');
      return;
    }
    this.#session = await Session.open({
      onWaiting: () => this.#leave(),
      onReady: () => void this.#arrive().catch((error: unknown) => say(explainProblem(error), 'problem')),
    });
    await this.#session.loadChosen().catch((error: unknown) => say(explainProblem(error), 'problem'));
  }

  #connect(): void {
    byId('add', 'form').onsubmit = (event) => {
      event.preventDefault();
      void this.#run(() => this.#addPlace(nameInput.value));
    };
    trainButton.onclick = () => void this.#run((signal) => this.#train(signal));
    stop.onclick = () => this.#working?.abort();
    use.onclick = () => void this.#run(() => this.#use());
    download.onclick = () => this.#download();
    modelInput.onchange = () => {
      const [file] = modelInput.files ?? [];
      modelInput.value = '';
      if (file) void this.#run(() => this.#open(file));
    };
    dropped((files) => {
      const model = files.find(({ name }) => name.endsWith('.safetensors'));
      void this.#run((signal) => (model ? this.#open(model) : this.#addFiles(null, files, signal)));
    });
  }

  /** The teacher goes with its device or its model. */
  #leave(): void {
    if (this.#teacher === null) return;
    this.#teacher.dispose();
    this.#teacher = null;
    this.#coming = Promise.withResolvers();
    this.#show();
  }

  async #arrive(): Promise<void> {
    const model = this.#session?.model;
    if (!(model instanceof SceneClassifier))
      throw new Error(
        'This model tells pictures of Places365 apart and cannot be taught: open one of sound and pictures, or forget it on the first page.',
      );
    if (this.#teacher !== null) return;
    const teacher = await model.teacher();
    const keys = await teacher.keys();
    const key = JSON.stringify(keys);
    if (key !== this.#key) {
      this.#store = await Store.open(keys);
      this.#places = await this.#store.places();
      this.#key = key;
      if (!this.#store.keeps)
        say('This browser keeps no files for pages: what you record lasts until you leave.');
    }
    this.#teacher = teacher;
    this.#coming.resolve(teacher);
    this.#show();
  }

  /** Runs one thing at a time; says what went wrong. */
  async #run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#working !== null) return;
    const working = new AbortController();
    this.#working = working;
    this.#show();
    try {
      await work(working.signal);
    } catch (error) {
      if (working.signal.aborted) say('Stopped.');
      else say(explainProblem(error), 'problem');
    } finally {
      this.#working = null;
      this.#show();
    }
  }

  #show(): void {
    const busy = this.#working !== null || this.#teacher === null;
    showPlaces(this.#places, busy, {
      onRecord: (place) => void this.#run((signal) => this.#record(place, signal)),
      onFiles: (place, files) => void this.#run((signal) => this.#addFiles(place, files, signal)),
      onDelete: (place) => void this.#run(() => this.#delete(place)),
      onDeleteRecording: (place, recording) => void this.#run(() => this.#deleteRecording(place, recording)),
    });
    const known = this.#teacher?.names ?? [];
    const same =
      known.length === this.#places.length && known.every((name, i) => name === this.#places[i]?.name);
    resume.disabled = !same;
    if (!same) resume.checked = false;
    add.disabled = busy;
    trainButton.disabled = busy || this.#places.filter((place) => secondsOf(place) > 0).length < 2;
    stop.hidden = this.#working === null;
    use.disabled = download.disabled = this.#working !== null || this.#taught === null;
  }

  async #addPlace(written: string): Promise<void> {
    const name = written.trim();
    if (name === '') throw new Error('Give the place a name first.');
    this.#placeOf(name);
    nameInput.value = '';
    await this.#store?.saveList(this.#places);
    say(`${name} is a place now: record it, or add files.`);
  }

  #placeOf(name: string): Place {
    const found = this.#places.find((place) => place.name === name);
    if (found !== undefined) return found;
    const place: Place = { name, recordings: [] };
    this.#places.push(place);
    return place;
  }

  async #record(place: Place, signal: AbortSignal): Promise<void> {
    if (this.#teacher === null) return;
    say(`Recording ${place.name} for ten seconds …`);
    const inputs = await record(this.#teacher, place.name, signal);
    if (inputs.length === 0) throw new Error('Nothing was recorded.');
    const number = place.recordings.length + 1;
    await this.#keep(place, `recording ${number}`, await this.#embed(inputs));
    say(`${place.name} has ${secondsOf(place)} seconds now.`);
  }

  /** To a place, or each to one of its own name. */
  async #addFiles(place: Place | null, files: readonly File[], signal: AbortSignal): Promise<void> {
    for (const [name, group] of groupFiles(files)) {
      say(`Opening ${name} …`);
      const recordings = await readSeconds(group);
      signal.throwIfAborted();
      const to = place ?? this.#placeOf(name);
      for (const inputs of recordings) await this.#keep(to, name, await this.#embed(inputs));
      say(`${to.name} has ${secondsOf(to)} seconds now.`);
    }
  }

  async #embed(inputs: readonly SceneInput[]): Promise<TaughtSecond[]> {
    const seconds: TaughtSecond[] = [];
    for (const [i, input] of inputs.entries()) {
      byId('progress-text', 'span').textContent = `Second ${i + 1} of ${inputs.length} goes through the nets`;
      seconds.push(await this.#onDevice((teacher) => teacher.embed(input)));
    }
    return seconds;
  }

  /** Work that is done again on the next device if this one is lost. */
  async #onDevice<T>(work: (teacher: SceneTeacher) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      const teacher = this.#teacher ?? (await this.#coming.promise);
      try {
        return await work(teacher);
      } catch (error) {
        // The device that goes takes what was under way with it, whatever that says.
        const gone =
          this.#teacher !== teacher || (error instanceof Error && error.name === 'DeviceLostError');
        if (!gone || signal?.aborted) throw error;
        if (this.#teacher === teacher) this.#leave();
      }
    }
  }

  async #keep(place: Place, name: string, seconds: readonly TaughtSecond[]): Promise<void> {
    const recording: KeptRecording = { id: crypto.randomUUID(), name, seconds };
    await this.#store?.keep(recording);
    place.recordings.push(recording);
    await this.#store?.saveList(this.#places);
    this.#show();
  }

  async #delete(place: Place): Promise<void> {
    this.#places = this.#places.filter((other) => other !== place);
    await this.#store?.saveList(this.#places);
    for (const { id } of place.recordings) await this.#store?.forget(id);
    say(`${place.name} is deleted.`);
    nameInput.focus();
  }

  async #deleteRecording(place: Place, recording: KeptRecording): Promise<void> {
    place.recordings.splice(place.recordings.indexOf(recording), 1);
    await this.#store?.saveList(this.#places);
    await this.#store?.forget(recording.id);
    say(`${recording.name} of ${place.name} is deleted.`);
  }

  async #train(signal: AbortSignal): Promise<void> {
    const options = { mixup: mixup.checked, augmentation: augmentation.checked };
    const training = this.#trainings.begin(options);
    try {
      await this.#onDevice((teacher) => this.#trainOn(teacher, training, signal), signal);
    } finally {
      if (training.reports.length === 0) this.#trainings.drop(training);
      this.#trainings.show();
    }
  }

  /** Learns until the last step or the signal; the model of then is the result. */
  async #trainOn(
    teacher: SceneTeacher,
    { mixup: mixed, augmentation: augmented, reports, number }: Training,
    signal: AbortSignal,
  ): Promise<void> {
    reports.length = 0;
    say('Learning …');
    const [progress, text] = [byId('progress', 'progress'), byId('progress-text', 'span')];
    const follow = (what: string, done: number, total: number): void => {
      progress.max = total;
      progress.value = done;
      text.textContent = `${what} ${done} of ${total}`;
    };
    const training = await teacher.train(
      this.#places
        .filter((place) => secondsOf(place) > 0)
        .map(({ name, recordings }) => ({ name, recordings: recordings.map(({ seconds }) => seconds) })),
      {
        steps: numberOf(steps),
        learningRate: numberOf(rate),
        mixup: mixed,
        augmentation: augmented,
        resume: resume.checked,
        signal,
        onAugmented: (done, total) => follow('Changed copy', done, total),
      },
    );
    try {
      await this.#follow(training, reports, follow, signal);
      const metrics = await training.heldOut();
      this.#taught = new Blob([await training.file()], { type: 'application/octet-stream' });
      const { heldOut, training: learned } = training.seconds;
      const right = metrics === null ? null : Math.round(metrics.accuracy.overall * heldOut);
      const sentence = `Training ${number} learned ${learned} seconds in ${training.step} steps: ${right === null ? 'none was held out to measure it' : `${right} of ${heldOut} held-out seconds are right, ${Math.round((100 * right) / heldOut)} %`}.`;
      byId('result', 'p').textContent = sentence;
      byId('used', 'p').hidden = true;
      showConfusion(metrics);
      say(sentence);
    } finally {
      training.dispose();
    }
  }

  async #follow(
    training: Awaited<ReturnType<SceneTeacher['train']>>,
    reports: Training['reports'],
    follow: (what: string, done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      for await (const report of training.steps()) {
        reports.push(report);
        follow('Step', report.step, report.steps);
        this.#trainings.show();
        // The page draws and hears clicks between reports.
        await new Promise((resolve) => setTimeout(resolve));
      }
    } catch (error) {
      if (!signal.aborted || reports.length === 0) throw error;
    }
  }

  async #use(): Promise<void> {
    if (this.#taught === null) return;
    await keepModel(TAUGHT, this.#taught);
    chooseModel(TAUGHT);
    byId('used', 'p').hidden = false;
    say(`The model is kept as "${TAUGHT}", and the first page uses it.`);
  }

  #download(): void {
    if (this.#taught === null) return;
    const url = URL.createObjectURL(this.#taught);
    Object.assign(document.createElement('a'), { href: url, download: `${TAUGHT}.safetensors` }).click();
    URL.revokeObjectURL(url);
  }

  /** Keeps a model and teaches on from it: with the same nets, the places stay. */
  async #open(file: File): Promise<void> {
    if (this.#session === null) return;
    const { metadata } = await nn.openCheckpoint(file);
    if (!metadata.has('definition'))
      throw new Error(
        `${file.name} does not say which nets its weights are of: open a model of sound and pictures.`,
      );
    const name = file.name.replace(/\.safetensors$/, '');
    await this.#session.load({ name, source: file });
    await keepModel(name, file);
    chooseModel(name);
    await this.#coming.promise;
    say(`${file.name} is in use. It knows ${this.#teacher?.names.join(', ')}.`);
  }
}

function numberOf(input: HTMLInputElement): number {
  if (input.checkValidity() && input.value !== '') return input.valueAsNumber;
  const [label] = input.labels ?? [];
  throw new Error(`${label?.textContent ?? input.id} must be from ${input.min} to ${input.max}.`);
}

new TeachPage().start().catch((error: unknown) => say(explainProblem(error), 'problem'));
