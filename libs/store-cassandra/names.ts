import { sha256 } from '@annals/core';

const columnPattern = /^[a-z][a-z0-9_]{0,62}$/;
const projectionPattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** A column as CQL takes it. */
export function quoted(name: string): string {
  if (!columnPattern.test(name) || name.startsWith('annals_')) {
    throw new TypeError(`"${name}" cannot name a column`);
  }
  return `"${name}"`;
}

export function checkedProjection(projection: string): string {
  if (projectionPattern.test(projection)) return projection;
  throw new TypeError(`a projection is named by lower-case words joined by "-": ${projection}`);
}

export function checkedGeneration(generation: number): number {
  if (Number.isInteger(generation) && generation >= 1 && generation < 1_000_000_000) {
    return generation;
  }
  throw new RangeError(`there is no generation ${generation}`);
}

/**
 * What the tables of a generation begin with. A table's name has at most 48 characters, so the names of
 * projections are cut, and told apart by a hash.
 */
export function generationPrefix(projection: string, generation: number): string {
  const plain = checkedProjection(projection).replaceAll('-', '_');
  const short = plain.length <= 14 ? plain : `${plain.slice(0, 7)}_${sha256(plain).slice(0, 6)}`;
  return `${short}_g${checkedGeneration(generation)}_`;
}

/** The name of a table of one making of a generation: never used again, whatever is made under its number later. */
export function tableName(prefix: string, instance: string, number: number, table: string): string {
  return `${prefix}${instance}_${number}_${table}`.slice(0, 48);
}
