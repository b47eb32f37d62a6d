import { limits } from './limits.ts';
import { subjectProblem } from './subject-name.ts';

/** The subjects of one call without repetition. Throws a TypeError when one is invalid or they are too many. */
export function checkedBatch(subjects: readonly string[]): readonly string[] {
  const distinct = [...new Set(subjects)];
  if (distinct.length > limits.batchSubjectsMax) {
    throw new TypeError(
      `${distinct.length} subjects in one call, more than ${limits.batchSubjectsMax}`,
    );
  }
  for (const subject of distinct) {
    const problem = subjectProblem(subject);
    if (problem) throw new TypeError(problem);
  }
  return distinct;
}

/** The size of a page of `list`. Throws a TypeError when it is out of range. */
export function checkedPageLimit(limit: number = limits.batchSubjectsMax): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > limits.batchSubjectsMax) {
    throw new TypeError(`a page holds 1 to ${limits.batchSubjectsMax} subjects, not ${limit}`);
  }
  return limit;
}
