import { SaxesParser, type SaxesTag } from 'saxes';
import { exponentOf, isCurrency } from '../money.ts';
import { type BankRow, utcDay } from './bank-csv.ts';
import { minorUnits } from './decimal.ts';
import type { FileText } from './file-text.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { type BadLine, bad, type MappedLine, ReconciliationFileError } from './mapped-line.ts';

/** An element of an entry; everything else of the document is passed over as it comes. */
interface Element {
  readonly name: string;
  readonly currency: string;
  text: string;
  readonly children: Element[];
}

/**
 * The entries of an ISO 20022 bank statement (camt.053, any version), as they come: the document is never held as a whole. An
 * entry of several transactions is a row for each, where they have amounts that add up, and one row where not. An
 * entry that cannot be used is reported with its line. Throws ReconciliationFileError for what is no such document:
 * XML that is broken ends the file, and a document type is refused.
 */
export async function* camt053Rows(file: FileText): AsyncGenerator<readonly MappedLine<BankRow>[]> {
  const reading = new CamtReading();
  let badLines = 0;
  for await (const text of file.text()) {
    const rows = reading.write(text);
    badLines += rows.filter(({ kind }) => kind === 'bad').length;
    if (badLines > limits.badLinesMax) throw broken(`more than ${limits.badLinesMax} bad entries`);
    if (rows.length > 0) yield rows;
  }
  const rows = reading.end();
  if (rows.length > 0) yield rows;
}

class CamtReading {
  readonly #parser = new SaxesParser({ position: true });
  #rows: MappedLine<BankRow>[] = [];
  #depth = 0;
  /** The elements from the entry down to where we are. */
  #open: Element[] = [];
  #line = 0;
  #isStatement = false;
  /** Characters since the last element began or ended: what the parser may hold. */
  #quietChars = 0;

  constructor() {
    const parser = this.#parser;
    parser.on('error', (error) => {
      throw broken(error.message);
    });
    parser.on('doctype', () => {
      throw broken('a document type is not allowed');
    });
    parser.on('opentag', (tag) => this.#opened(tag));
    parser.on('closetag', () => this.#closed());
    parser.on('text', (text) => {
      const element = this.#open.at(-1);
      if (element) element.text = `${element.text}${text}`.slice(0, limits.textCharsMax);
    });
  }

  write(text: string): MappedLine<BankRow>[] {
    if (text.includes('\uFFFD')) throw broken('it has bytes that mean nothing');
    this.#quietChars += text.length;
    this.#parser.write(text);
    if (this.#quietChars > limits.xmlQuietCharsMax) throw broken('a text in it has no end');
    return this.#taken();
  }

  end(): MappedLine<BankRow>[] {
    this.#parser.close();
    if (!this.#isStatement) throw broken('there is no BkToCstmrStmt in it');
    return this.#taken();
  }

  #taken(): MappedLine<BankRow>[] {
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  #opened(tag: SaxesTag): void {
    this.#quietChars = 0;
    this.#depth += 1;
    if (this.#depth > limits.xmlDepthMax) throw broken('its elements stand too deep');
    const name = localName(tag.name);
    if (name === 'BkToCstmrStmt') this.#isStatement = true;
    const parent = this.#open.at(-1);
    if (!parent && name !== 'Ntry') return;
    const currency = tag.attributes.Ccy;
    const element = {
      name,
      currency: typeof currency === 'string' ? currency : '',
      text: '',
      children: [],
    };
    if (!parent) this.#line = this.#parser.line;
    else if (parent.children.length >= limits.entryTransactionsMax) {
      throw broken(`an entry has more than ${limits.entryTransactionsMax} parts`);
    } else parent.children.push(element);
    this.#open.push(element);
  }

  #closed(): void {
    this.#quietChars = 0;
    this.#depth -= 1;
    const element = this.#open.pop();
    if (element && this.#open.length === 0) {
      for (const row of rowsOf(element, this.#line)) this.#rows.push(row);
    }
  }
}

function rowsOf(entry: Element, line: number): MappedLine<BankRow>[] {
  const whole = rowOf(entry, line);
  if ('kind' in whole) return [whole];
  const transactions = entry.children
    .filter(({ name }) => name === 'NtryDtls')
    .flatMap(({ children }) => children.filter(({ name }) => name === 'TxDtls'));
  const [first] = transactions;
  const single = { ...whole, ...(first ? referencesOf(first, whole) : {}) };
  if (transactions.length < 2) return [{ kind: 'row', line, row: single }];
  const parts: BankRow[] = [];
  for (const [index, transaction] of transactions.entries()) {
    const amount = amountOf(at(transaction, 'Amt') ?? at(transaction, 'AmtDtls', 'TxAmt', 'Amt'));
    if (!amount || amount.currency !== whole.currency) {
      return [{ kind: 'row', line, row: { ...whole, reference: '' } }];
    }
    const signed = whole.amount < 0n ? -amount.amount : amount.amount;
    const own = { ...whole, id: `${whole.id}/${index + 1}`, amount: signed };
    parts.push({ ...own, ...referencesOf(transaction, own) });
  }
  const sum = parts.reduce((total, { amount }) => total + amount, 0n);
  if (sum !== whole.amount) return [{ kind: 'row', line, row: { ...whole, reference: '' } }];
  return parts.map((row) => ({ kind: 'row', line, row }));
}

function rowOf(entry: Element, line: number): BankRow | BadLine {
  const amount = amountOf(at(entry, 'Amt'));
  if (!amount) return bad(line, 'wrong-amount', 'Amt is no amount of an ISO 4217 currency');
  const direction = textOf(entry, 'CdtDbtInd');
  if (direction !== 'CRDT' && direction !== 'DBIT') {
    return bad(line, 'wrong-entry', 'CdtDbtInd is neither CRDT nor DBIT');
  }
  const date = textOf(entry, 'BookgDt', 'Dt') || textOf(entry, 'BookgDt', 'DtTm').slice(0, 10);
  const bookedAt = utcDay(date);
  if (bookedAt === undefined) return bad(line, 'wrong-time', 'BookgDt is no day');
  const id = textOf(entry, 'AcctSvcrRef') || textOf(entry, 'NtryRef');
  if (id === '' || id.length > limits.idCharsMax) {
    return bad(line, 'missing-field', 'there is neither AcctSvcrRef nor NtryRef');
  }
  const state = textOf(entry, 'Sts', 'Cd') || textOf(entry, 'Sts');
  const status =
    state === 'PDNG' ? 'pending' : textOf(entry, 'RvslInd') === 'true' ? 'returned' : 'booked';
  const signed = direction === 'DBIT' ? -amount.amount : amount.amount;
  const text = textOf(entry, 'AddtlNtryInf');
  return { id, reference: '', bookedAt, currency: amount.currency, amount: signed, status, text };
}

function referencesOf(transaction: Element, row: BankRow): Pick<BankRow, 'reference' | 'text'> {
  const reference = textOf(transaction, 'Refs', 'EndToEndId');
  const text = textOf(transaction, 'RmtInf', 'Ustrd') || row.text;
  return { reference: reference === 'NOTPROVIDED' ? '' : reference, text };
}

function amountOf(
  element: Element | undefined,
): { readonly amount: bigint; readonly currency: string } | undefined {
  if (!element || !isCurrency(element.currency)) return undefined;
  // A direction of its own says the sign.
  const text = element.text.trim();
  const amount = minorUnits(text, exponentOf(element.currency), 'fitting');
  if (amount === undefined || /^[+-]/.test(text)) return undefined;
  return { amount, currency: element.currency };
}

function at(element: Element, ...path: readonly string[]): Element | undefined {
  let here: Element | undefined = element;
  for (const name of path) here = here?.children.find((child) => child.name === name);
  return here;
}

function textOf(element: Element, ...path: readonly string[]): string {
  return at(element, ...path)?.text.trim() ?? '';
}

/** Without the prefix of a namespace. */
function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

function broken(detail: string): ReconciliationFileError {
  return new ReconciliationFileError('broken-xml', `the bank statement cannot be read: ${detail}`);
}
