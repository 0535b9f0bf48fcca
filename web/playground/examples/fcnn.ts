// The net that hears: FCNN on log-mel features, small

import { Device, manualSeed } from 'wavelight';
import { AudioNet, Fcnn, LogMelExtractor, SCENES } from 'wavelight/avsc';

const device = await Device.create();

// A second of a chord, as features [6, 128, 39]: log-mel energies of both channels with their deltas.
const tone = Float32Array.from({ length: 48000 }, (_, i) => 0.2 * (Math.sin(i / 17) + Math.sin(i / 23)));
const { data, shape } = new LogMelExtractor().extract([tone, tone]);
console.log(`features [${shape.join(', ')}]`);

manualSeed(1);
const net = new AudioNet(new Fcnn({ features: 16, widths: [8, 12, 16], block3Convs: 2 }), SCENES.length).to(
  device,
);
net.eval();
const judge = device.compile((features) => net.forward(features).softmax(1));

const probabilities = await (await judge({ data, shape: [1, ...shape] })).data();
for (const [i, scene] of SCENES.entries())
  console.log(`${scene.padEnd(20)} ${(100 * (probabilities[i] ?? 0)).toFixed(1)} %`);
console.log('(The net knows nothing yet: it was not trained.)');
