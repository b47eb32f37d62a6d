import { appendBatches } from './cases/append-batches.ts';
import { appendManyCallers } from './cases/append-many-callers.ts';
import { appendOneCaller } from './cases/append-one-caller.ts';
import type { BenchCase } from './harness.ts';

/** Every case, in the order of the report. */
export const cases: readonly BenchCase[] = [appendOneCaller, appendManyCallers, appendBatches];
