// The generated data set: sound family and picture family of each scene.
//
//   scene               sound      picture      | The ten scenes form a ring: each shares its sound with one
//   bus                 engine     interior     | neighbour and its picture with the other. Sound alone or
//   metro               engine     tunnel       | picture alone can therefore tell only 5 groups apart (an
//   metro_station       clatter    tunnel       | accuracy of 50 % at best); together they tell all scenes.
//   tram                clatter    road         |
//   street_traffic      wash       road         |   engine    harmonics of a low tone, with a tremor
//   street_pedestrian   wash       facades      |   clatter   clicks in a steady beat
//   public_square       birds      facades      |   wash      noise that swells and ebbs, moving across
//   park                birds      horizon      |   birds     rising chirps, high up
//   airport             babble     horizon      |   babble    voiced syllables, formants of speech
//   shopping_mall       babble     interior     |
//
//   interior  rows of round lamps in the dark     tunnel    rings that approach
//   road      a road to the vanishing point       facades   houses with windows, people in front
//   horizon   sky over a field, a sun or a cloud
//
// The location decides palette, brightness, pitch, tempo, room tone and stereo position (nuisance factors, independent of
// the scene); the clip decides timing of events, camera movement and noise.

import type { Scene } from '../dataset/scenes.ts';

export type SoundFamily = 'engine' | 'clatter' | 'wash' | 'birds' | 'babble';
export type PictureFamily = 'interior' | 'tunnel' | 'road' | 'facades' | 'horizon';

export interface SceneRule {
  readonly sound: SoundFamily;
  readonly picture: PictureFamily;
}

export const SCENE_RULES: Readonly<Record<Scene, SceneRule>> = {
  bus: { sound: 'engine', picture: 'interior' },
  metro: { sound: 'engine', picture: 'tunnel' },
  metro_station: { sound: 'clatter', picture: 'tunnel' },
  tram: { sound: 'clatter', picture: 'road' },
  street_traffic: { sound: 'wash', picture: 'road' },
  street_pedestrian: { sound: 'wash', picture: 'facades' },
  public_square: { sound: 'birds', picture: 'facades' },
  park: { sound: 'birds', picture: 'horizon' },
  airport: { sound: 'babble', picture: 'horizon' },
  shopping_mall: { sound: 'babble', picture: 'interior' },
};
