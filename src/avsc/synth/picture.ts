// Generated pictures: five families (rules.ts), each a function of position and time.

import { randomStream, uniform, type Random } from '../dataset/random.ts';
import type { PictureFamily } from './rules.ts';

/** Draws the frame of a clip at `time` into RGBA bytes [size, size, 4]. */
export type Camera = (time: number, rgba: Uint8Array) => void;

/** Brightness of a point, 0 (the palette's dark colour) to 1 (its light one); x and y in -1..1, y downwards. */
type Shade = (x: number, y: number, time: number) => number;

/**
 * A camera at a location. `location` and `clip` are keys: the same keys give the same pictures. The location decides
 * colours, brightness, size and speed of objects; the clip decides the camera's movement, the phase and the noise.
 */
export function makeCamera(family: PictureFamily, location: string, clip: string, size: number): Camera {
  const place = randomStream(location, 'picture');
  const event = randomStream(clip, 'picture');
  const shade = makeShade(family, place, event);
  const dark = colour(place(), uniform(place, 0.2, 0.6), uniform(place, 0.08, 0.28));
  const light = colour(place(), uniform(place, 0.15, 0.55), uniform(place, 0.65, 0.95));
  const mirror = place() < 0.5 ? -1 : 1;
  const noise = uniform(place, 4, 14);
  const zoom = uniform(event, 0.85, 1.1);
  const pan = { size: uniform(event, 0.02, 0.14), rate: uniform(event, 0.5, 1.5), phase: event() * 6 };
  const grain = Float32Array.from({ length: 4096 }, () => (event() - 0.5) * 2 * noise);
  return (time, rgba) => {
    const shiftX = pan.size * Math.sin(pan.rate * time + pan.phase);
    const shiftY = 0.6 * pan.size * Math.cos(0.8 * pan.rate * time + pan.phase);
    const frame = Math.round(time * 30);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const x = mirror * zoom * ((2 * column + 1) / size - 1) + shiftX;
        const y = zoom * ((2 * row + 1) / size - 1) + shiftY;
        const value = Math.max(0, Math.min(1, shade(x, y, time)));
        const at = 4 * (row * size + column);
        const speck = grain[(row * 83 + column * 31 + frame * 1009) % 4096] as number;
        for (let c = 0; c < 3; c++) {
          const from = dark[c] as number;
          rgba[at + c] = Math.max(0, Math.min(255, from + ((light[c] as number) - from) * value + speck));
        }
        rgba[at + 3] = 255;
      }
    }
  };
}

function makeShade(family: PictureFamily, place: Random, event: Random): Shade {
  switch (family) {
    case 'interior':
      return interior(place, event);
    case 'tunnel':
      return tunnel(place, event);
    case 'road':
      return road(place, event);
    case 'facades':
      return facades(place, event);
    case 'horizon':
      return horizon(place, event);
  }
}

/** Rows of equal round lamps in the dark that sway. */
function interior(place: Random, event: Random): Shade {
  const across = uniform(place, 2.2, 3.6);
  const down = uniform(place, 2.2, 3.6);
  const radius = uniform(place, 0.2, 0.32);
  const sway = uniform(place, 0.3, 1.2);
  const phase = event();
  return (x, y, time) => {
    const u = x * across + phase + 0.15 * Math.sin(sway * time);
    const v = y * down + phase;
    const distance = Math.hypot(u - Math.round(u), v - Math.round(v));
    return 0.08 + 0.9 * Math.max(0, Math.min(1, (radius - distance) / 0.12 + 0.5));
  };
}

/** Rings around the end of a tunnel that approach. */
function tunnel(place: Random, event: Random): Shade {
  const rings = uniform(place, 1.6, 2.6);
  const speed = uniform(place, 0.6, 2);
  const round = place();
  const phase = event();
  return (x, y, time) => {
    const square = Math.max(Math.abs(x), Math.abs(y));
    const radius = 0.04 + round * Math.hypot(x, y) + (1 - round) * square;
    const wave = Math.sin(2 * Math.PI * (rings * Math.log(radius) - speed * time + phase));
    return (0.5 + 0.5 * Math.tanh(2.5 * wave)) * Math.min(1, 2.2 * radius);
  };
}

/** A road with a dashed line, narrowing to the vanishing point under a plain sky, and a car. */
function road(place: Random, event: Random): Shade {
  const top = uniform(place, -0.35, 0);
  const width = uniform(place, 0.7, 1.1);
  const speed = uniform(place, 0.8, 2.5);
  const sky = uniform(place, 0.55, 0.9);
  const ground = uniform(place, 0.25, 0.45);
  const lane = place() < 0.5 ? -0.45 : 0.45;
  const phase = event();
  return (x, y, time) => {
    if (y < top) return sky;
    const depth = (y - top) / (1 - top);
    const side = x / (width * depth + 0.02);
    const car = 0.3 + 0.7 * ((0.3 * speed * time + phase) % 1);
    const offset = x - lane * width * car;
    if (Math.abs(offset) < 0.3 * car && Math.abs(depth - car) < 0.28 * car) return 0.75;
    if (Math.abs(side) > 1) return ground;
    if (Math.abs(side) > 0.88) return 1;
    const dash = Math.sin(2 * Math.PI * (1.2 / (depth + 0.08) + speed * time + phase)) > 0;
    return Math.abs(side) < 0.09 && dash ? 1 : 0.05;
  };
}

/** House fronts with rows of windows, and people who walk past at the bottom. */
function facades(place: Random, event: Random): Shade {
  const houses = uniform(place, 1.2, 2);
  const windows = uniform(place, 2.5, 3.6);
  const floors = uniform(place, 3.2, 4.6);
  const tones = Array.from({ length: 8 }, () => uniform(place, 0.35, 0.95));
  const walk = uniform(place, 0.1, 0.4);
  const phase = event() * 4;
  return (x, y, time) => {
    const person = (x + 8 + walk * time + phase) * 1.6;
    const near = Math.hypot((person - Math.round(person)) * 0.5, (y - 0.68) * 0.42);
    if (near < 0.1) return 0.05;
    if (y > 0.7) return 0.3;
    const house = Math.floor((x + 4) * houses);
    const tone = tones[((house % 8) + 8) % 8] as number;
    const u = ((x + 4) * houses * windows) % 1;
    const v = ((y + 4) * floors) % 1;
    return u > 0.3 && u < 0.75 && v > 0.2 && v < 0.75 ? tone * 0.15 : tone;
  };
}

/** A sky that brightens downwards over a field with soft furrows, and a sun or a cloud that drifts. */
function horizon(place: Random, event: Random): Shade {
  const line = uniform(place, -0.1, 0.35);
  const sky = uniform(place, 0.45, 0.65);
  const field = uniform(place, 0.08, 0.3);
  const radius = uniform(place, 0.12, 0.22);
  const stretch = uniform(place, 1, 2.2);
  const drift = uniform(place, -0.06, 0.06);
  const from = uniform(event, -0.4, 0.4);
  const hills = uniform(place, 0.02, 0.08);
  return (x, y, time) => {
    const edge = line + hills * Math.sin(3 * x + from * 8);
    if (y > edge) return field + 0.06 * Math.sin(40 * (y - edge) + 2 * x);
    const distance = Math.hypot((x - from - drift * time) / stretch, y - line + 0.55);
    return distance < radius ? 1 : sky + 0.25 * (y + 1) * 0.6;
  };
}

/** RGB of a hue, a saturation and a lightness, all 0..1. */
function colour(hue: number, saturation: number, lightness: number): readonly [number, number, number] {
  const chroma = saturation * Math.min(lightness, 1 - lightness);
  const part = (shift: number): number => {
    const k = (shift + hue * 12) % 12;
    return 255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  };
  return [part(0), part(8), part(4)];
}
