import type { ErrorRows } from '@annals/http';

/** What reconciliation refuses: rows of the table of payments. */
export const reconciliationErrorRows = {
  'file-unusable': {
    status: 422,
    title: 'The file cannot be used',
    detail: 'Refused: {what}; nothing of it was recorded.',
    when: 'A settlement file or bank statement with another header, of another kind, broken, or mostly bad lines. A single bad line is reported as a break, and the rest goes on.',
  },
  'unknown-book': {
    status: 404,
    title: 'No such provider',
    detail: 'Refused: {what}.',
    when: 'Neither a provider of this platform, nor bank, nor wallets.',
  },
  'day-not-over': {
    status: 409,
    title: 'The day is not over',
    detail: 'Refused: {what}.',
    when: 'A file of a day that is not over yet, in UTC.',
  },
  'unknown-break': {
    status: 404,
    title: 'No such break',
    detail: 'Refused: {what}.',
    when: 'The day has no break of this id.',
  },
  'break-closed': {
    status: 409,
    title: 'The break is closed',
    detail: 'Refused: {what}.',
    when: 'The break was corrected, resolved or cleared, or waits for the next file.',
  },
  'resolution-waits': {
    status: 409,
    title: 'A resolution waits for its second person',
    detail: 'Refused: {what}.',
    when: 'Somebody has asked to resolve the break: another key approves or rejects that first.',
  },
  'no-resolution': {
    status: 409,
    title: 'Nobody has asked for a resolution',
    detail: 'Refused: {what}.',
    when: 'Approval or rejection of a break that nobody has asked to resolve.',
  },
  'second-person-needed': {
    status: 403,
    title: 'Another person is needed',
    detail: 'Refused: {what}.',
    when: 'The key that asked for a resolution approves it.',
  },
  'entry-refused': {
    status: 422,
    title: 'The entry does not resolve the break',
    detail: 'Refused: {what}.',
    when: 'An account that there is not, one account on both sides of a line, or an entry that does not change psp_clearing and bank by what our side lacks.',
  },
} as const satisfies ErrorRows;

/** The code of each reason of the domain that has another one here. */
export const reconciliationCodes: { readonly [reason: string]: string } = {
  'break-not-found': 'unknown-break',
  'resolution-requested': 'resolution-waits',
  'same-person': 'second-person-needed',
  'wrong-entry': 'entry-refused',
};
