import cardValidator from 'card-validator';

/** Digits of a primary account number (ISO/IEC 7812-1). */
const panDigitsMin = 12;
const panDigitsMax = 19;
/** Digits that people and programs write apart. */
const digitRuns = /\d(?:[ \-._/\u00a0\u2009\u202f]?\d)+/g;

/**
 * Whether a text holds what looks like a card number: the prefix of an issuer, that issuer's number of digits
 * and a right check digit (Luhn), also where blanks, dashes or dots stand between its digits. Such a text is
 * refused before it is written anywhere, also into a log. Digits that run on without a gap are one number: in a
 * long run chance alone would find a card number, as one of ten passes the check digit.
 */
export function holdsPan(text: string): boolean {
  for (const [run] of text.normalize('NFKC').matchAll(digitRuns)) {
    if (holdsPanGroups(run.split(/\D/))) return true;
  }
  return false;
}

/** Groups of digits that stand together: any that follow each other may be one number. */
function holdsPanGroups(groups: readonly string[]): boolean {
  for (let from = 0; from < groups.length; from += 1) {
    let digits = '';
    for (let to = from; to < groups.length && digits.length < panDigitsMax; to += 1) {
      digits += groups[to];
      if (isPan(digits)) return true;
    }
  }
  return false;
}

function isPan(digits: string): boolean {
  if (digits.length < panDigitsMin || digits.length > panDigitsMax) return false;
  return cardValidator.number(digits, { luhnValidateUnionPay: true }).isValid;
}
