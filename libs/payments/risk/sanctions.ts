import type { RiskAssessment, RiskScreen } from './port.ts';

/**
 * The screening against sanctions lists (AML/CFT): a verdict of its own beside the risk of fraud. It compares names
 * as lists publish them, and is no substitute for a provider that also knows dates, places and other spellings.
 */

export const sanctionsLimits = {
  namesMax: 1_000_000,
  nameCharsMax: 200,
} as const;

export type SanctionsMatch = 'clear' | 'possible' | 'match';

/** Letters without their marks, in lower case; words in their alphabetical order. */
export function nameWords(name: string): readonly string[] {
  const plain = name
    .slice(0, sanctionsLimits.nameCharsMax)
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();
  return (plain.match(/[\p{L}\p{N}]+/gu) ?? []).sort();
}

export class SanctionsList {
  readonly #names = new Set<string>();
  /** By each word: the names that have it, for those that match only in part. */
  readonly #byWord = new Map<string, (readonly string[])[]>();

  /** Throws RangeError for a list that is longer than any that is published. */
  constructor(names: Iterable<string>) {
    for (const name of names) {
      const words = nameWords(name);
      if (words.length === 0) continue;
      this.#names.add(words.join(' '));
      if (this.#names.size > sanctionsLimits.namesMax) throw new RangeError('the list is too long');
      for (const word of new Set(words)) {
        const known = this.#byWord.get(word);
        if (known) known.push(words);
        else this.#byWord.set(word, [words]);
      }
    }
  }

  /** The same words are a match; all words of a name of two or more among others are a possible one. */
  match(name: string): SanctionsMatch {
    const words = nameWords(name);
    if (words.length === 0) return 'clear';
    if (this.#names.has(words.join(' '))) return 'match';
    const near = words.some((word) =>
      this.#byWord.get(word)?.some((listed) => contains(words, listed) || contains(listed, words)),
    );
    return near ? 'possible' : 'clear';
  }
}

function contains(all: readonly string[], part: readonly string[]): boolean {
  return part.length >= 2 && part.every((word) => all.includes(word));
}

/** A match is rejected, a possible one is looked at; so is an order whose buyer has no name. */
export function sanctionsScreen(list: SanctionsList): RiskScreen {
  const verdicts: Readonly<Record<SanctionsMatch, RiskAssessment>> = {
    clear: { verdict: 'accepted', rules: [] },
    possible: { verdict: 'review', rules: ['sanctions:possible'] },
    match: { verdict: 'rejected', rules: ['sanctions:match'] },
  };
  return {
    name: 'sanctions',
    assess: async ({ buyerName }) =>
      buyerName === undefined || nameWords(buyerName).length === 0
        ? { verdict: 'review', rules: ['sanctions:no-name'] }
        : verdicts[list.match(buyerName)],
  };
}
