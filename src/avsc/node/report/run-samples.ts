// Sections of a run's report that show samples: examples of predictions, and what augmentation does.

import { argmaxRow } from '../../training/metrics.ts';
import { colorVariable } from './colors.ts';
import type { Augmentation, Example, RunReport } from './data.ts';
import { chart, chartHost, type Section } from './document.ts';
import { percent, words } from './format.ts';
import { html, imageUri, type Html } from './html.ts';
import { probabilityChart } from './page/probability-chart.ts';

/** Height of a bar of an example, in pixels. */
const BAR = 19;

export function exampleSection(
  { examples, final, scenes }: RunReport,
  models: readonly string[],
  colors: ReadonlyMap<string, number>,
): Section | null {
  if (examples.length === 0) return null;
  const numbered = examples.map((example, i) => ({ example, id: `example-${i}` }));
  const others = models.filter(
    (model) => model !== final && examples.some(({ probabilities }) => model in probabilities),
  );
  const group = (kind: Example['kind'], title: string): Html | null => {
    const cards = numbered.filter(({ example }) => example.kind === kind);
    if (cards.length === 0) return null;
    return html`<h3>${title}</h3>
      <div class="cards">
        ${cards.map(({ example, id }) => exampleCard(id, example, { final, scenes }))}
      </div>`;
  };
  return {
    id: 'examples',
    title: 'Examples',
    charts: numbered.map(({ example: { truth, probabilities }, id }) =>
      chart(probabilityChart, {
        id,
        height: BAR * scenes.length,
        classes: scenes,
        truth,
        final,
        models: Object.entries(probabilities).map(([model, values]) => ({ model, probabilities: values })),
      }),
    ),
    body: html`<h2>Examples</h2>
      <p>
        The two pictures and the log-mel of a second. Bars are the probabilities of ${final} in
        %${others.length === 0 ? '' : '; dots are what the other models say'}.
      </p>
      ${others.length === 0 ? null : html`<div class="legend">${others.map((id) => html`<span><i class="dot" style="--color: ${colorVariable(colors.get(id) ?? 0)}; border-radius: 50%"></i>${id}</span>`)}</div>`}
      ${group('wrong', 'Most wrong: the true scene got the lowest probability')}
      ${group('right', 'Right, with the highest probability')}`,
  };
}

function exampleCard(
  id: string,
  example: Example,
  { final, scenes }: Pick<RunReport, 'final' | 'scenes'>,
): Html {
  const { clip, second, truth, probabilities, frames, spectrogram, kind } = example;
  const { [final]: values } = probabilities;
  if (values?.length !== scenes.length) {
    throw new RangeError(
      `the example ${clip}, second ${second} needs ${scenes.length} probabilities of ${final}, got ${values?.length ?? 0}`,
    );
  }
  const predicted = scenes[argmaxRow(values, 0, scenes.length)] ?? '';
  const certainty = percent(Math.max(...values));
  const verdict =
    kind === 'right'
      ? html`<b>${words(truth)}</b> <span class="chip blue">right, ${certainty}</span>`
      : html`<b>${words(truth)}</b>
          <span class="chip warn">taken for ${words(predicted)}, ${certainty}</span>`;
  return html`<figure class="card">
    <div class="inputs">
      ${frames.map((frame) => html`<img src="${imageUri(frame)}" alt="Picture of the second" width="160" height="160" />`)}${spectrogram === '' ? null : html`<img class="spectrogram" src="${imageUri(spectrogram)}" alt="Spectrogram" width="160" height="160" />`}
    </div>
    <figcaption>${verdict}<small>${clip}, second ${second}</small></figcaption>
    ${chartHost(id, BAR * scenes.length, `Probabilities of the scenes for ${clip}, second ${second}`)}
  </figure>`;
}

export function augmentationSection({ augmentations }: RunReport): Section | null {
  if (augmentations.length === 0) return null;
  return {
    id: 'augmentation',
    title: 'Augmentation',
    charts: [],
    body: html`<h2>Augmentation</h2>
      <p>What the nets see in training: inputs before and after.</p>
      <div class="cards">${augmentations.map(augmentationCard)}</div>`,
  };
}

function augmentationCard({ name, what, before, after }: Augmentation): Html {
  if (before.length !== after.length || before.length === 0) {
    throw new RangeError(
      `the augmentation ${name} has ${before.length} images before and ${after.length} after`,
    );
  }
  const row = (title: string, uris: readonly string[]): Html =>
    html`<span>${title}</span
      >${uris.map((uri, i) => html`<img src="${imageUri(uri)}" alt="${name}, ${title}, ${i + 1}" width="160" height="160" />`)}`;
  return html`<figure class="card">
    <figcaption><b>${name}</b><small>${what}</small></figcaption>
    <div class="pairs" style="--count: ${before.length}">${row('before', before)}${row('after', after)}</div>
  </figure>`;
}
