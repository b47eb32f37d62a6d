import cardValidator from 'card-validator';

/** Digits of a primary account number (ISO/IEC 7812-1). */
const panDigitsMin = 12;
const panDigitsMax = 19;
/** Digits that people and programs write apart. */
const digitRuns = /\d(?:[ \-._/\u00a0\u2009\u202f]?\d)+/g;
/** The same with anything between them that is neither a letter nor a digit. */
const looseRuns = /\d(?:[^\p{L}\p{N}]{0,3}\d)+/gu;
/** Marks that nobody sees: zero-width blanks, joiners, directions. */
const invisible = /\p{Cf}/gu;
/** How networks set numbers apart: in fours, as American Express and Diners Club do it, in halves, and digit by digit. */
const cardGroups = /^(?:4(?:,4)+(?:,[1-3])?|4,6,[45]|8,8|1(?:,1)+|2(?:,2)+(?:,1)?)$/;

/**
 * Whether a text holds what looks like a card number: the prefix of an issuer, that issuer's number of digits
 * and a right check digit (Luhn), also where blanks, dashes or dots stand between its digits; with up to three
 * characters of other kinds between them where the digits stand in groups as on a card. Such a text is
 * refused before it is written anywhere, also into a log. Digits that run on without a gap are one number: in a
 * long run chance alone would find a card number, as one of ten passes the check digit.
 */
export function holdsPan(text: string): boolean {
  const seen = text.normalize('NFKC').replace(invisible, '');
  for (const [run] of seen.matchAll(digitRuns)) {
    if (holdsPanGroups(run.split(/\D/), () => true)) return true;
  }
  for (const [run] of seen.matchAll(looseRuns)) {
    if (holdsPanGroups(run.split(/\D+/), (lengths) => cardGroups.test(lengths))) return true;
  }
  return false;
}

/** Groups of digits that stand together: any that follow each other may be one number, where their lengths are those of one. */
function holdsPanGroups(groups: readonly string[], fits: (lengths: string) => boolean): boolean {
  for (let from = 0; from < groups.length; from += 1) {
    let digits = '';
    for (let to = from; to < groups.length && digits.length < panDigitsMax; to += 1) {
      digits += groups[to];
      if (isPan(digits) && fits(lengthsOf(groups.slice(from, to + 1)))) return true;
    }
  }
  return false;
}

function lengthsOf(groups: readonly string[]): string {
  return groups.map(({ length }) => length).join();
}

function isPan(digits: string): boolean {
  if (digits.length < panDigitsMin || digits.length > panDigitsMax) return false;
  return cardValidator.number(digits, { luhnValidateUnionPay: true }).isValid;
}
