// Experiments that say only what differs from another one.

import { object, within } from './fields.ts';

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/**
 * `base` with the fields of `changes`: objects are merged field by field, null removes a field, anything else replaces it. `stages` as an
 * object changes the base's stages by their ids (null removes one); as a list it replaces them. Throws, naming the field, if an
 * id is not in the base.
 */
export function extendExperiment(base: unknown, changes: unknown): Fields {
  const { stages, ...rest } = object(changes, 'the experiment');
  const merged = merge(object(base, 'the base experiment'), rest);
  if (stages === undefined) return merged;
  return { ...merged, stages: isObject(stages) ? changeStages(merged['stages'], stages) : stages };
}

function merge(base: Fields, changes: Fields): Fields {
  const merged: Record<string, unknown> = { ...base };
  for (const [name, change] of Object.entries(changes)) {
    const old = merged[name];
    if (change === null) Reflect.deleteProperty(merged, name);
    else merged[name] = isObject(change) && isObject(old) ? merge(old, change) : change;
  }
  return merged;
}

function changeStages(base: unknown, changes: Fields): unknown[] {
  const stages = (Array.isArray(base) ? base : []).filter(isObject);
  const ids = stages.map(({ id }) => id);
  const lost = Object.keys(changes).find((id) => !ids.includes(id));
  if (lost !== undefined)
    throw new Error(
      `${within('stages', lost)} changes a stage that the base does not have: ${ids.join(', ')}`,
    );
  return stages.flatMap((stage) => {
    const change = changes[String(stage['id'])];
    if (change === undefined) return [stage];
    return isObject(change) ? [merge(stage, change)] : [];
  });
}
