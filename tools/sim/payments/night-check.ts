import type { Movement } from '@annals/payments/reconciliation';
import { InvariantError } from '../trace.ts';
import { dayMs, dayOf, startOf } from './days.ts';
import { movementsByProvider } from './our-movements.ts';
import type { Provider } from './provider.ts';
import type { World } from './world.ts';

/** One break as its event has it. */
interface FoundBreak {
  readonly class: string;
  readonly key: string;
  readonly outside?: Side;
  readonly ledger?: Side;
}

type Side = Pick<Movement, 'key' | 'status' | 'currency' | 'at'>;

function must(holds: boolean, detail: string): void {
  if (!holds) throw new InvariantError('reconciled', detail);
}

/**
 * What the nights have done: every day on which something moved at a provider was compared with its file; wallets were
 * what the ledger says; and nothing was found but what was booked on another day than it was done.
 */
export async function checkNights(world: World, providers: readonly Provider[]): Promise<void> {
  const { facts, market } = world.witness;
  const { orders } = market;
  const done = facts.filter(({ type, data }) => {
    return type === 'day-worked-off' && data.work === 'reconcile';
  });
  const lastDay = String(done.at(-1)?.data.day ?? '');
  const compared = new Set(
    facts.flatMap(({ type, stream }) => (type === 'reconciliation-finished' ? [stream] : [])),
  );
  for (const { name, sandbox, startedAt } of providers) {
    for (let at = startOf(dayOf(startedAt)); dayOf(at) <= lastDay; at += dayMs) {
      const [createdFrom, createdTo] = [at / 1_000, (at + dayMs) / 1_000];
      const range = { createdFrom, createdTo, limit: 1 };
      const [moved] = sandbox.storage.page('balance_transaction', range);
      const isCompared = compared.has(`settlement-${name}~${dayOf(at)}`);
      must(!moved || isCompared, `${dayOf(at)} of ${name} was never compared, though it was over`);
    }
  }
  const found = facts.flatMap(({ type, stream, data }) =>
    type === 'breaks-found' ? (data.breaks as FoundBreak[]).map((one) => ({ stream, one })) : [],
  );
  const [wrong] = found.filter(({ stream }) => stream.startsWith('settlement-wallets~'));
  must(!wrong, `a wallet is not what the ledger says: ${JSON.stringify(wrong?.one)}`);
  // What the bank took though it had been paid back is for a person.
  const isRefused = (key: string) =>
    key.startsWith('dp_') && ![...orders.values()].some(({ disputes }) => disputes.has(key));
  const left = found.filter(({ one }) => one.class !== 'timing' && !isRefused(one.key));
  if (left.length === 0) return;
  const movements = [...(await movementsByProvider(world, providers)).values()].flat();
  for (const { stream, one } of left) {
    const isLate = isOfAnotherDay(one, movements, found);
    must(isLate, `${stream} has a break though nothing was tampered with: ${JSON.stringify(one)}`);
  }
}

/** Whether the other side of it is there, on another day. */
function isOfAnotherDay(
  { class: of, outside, ledger }: FoundBreak,
  movements: readonly Movement[],
  found: readonly { readonly one: FoundBreak }[],
): boolean {
  const isSame = (one: Side, other: Side) =>
    one.key === other.key && one.status === other.status && dayOf(one.at) !== dayOf(other.at);
  if (of === 'missing_in_ledger' && outside) return movements.some((one) => isSame(one, outside));
  if (of !== 'missing_in_psp' || !ledger) return false;
  return found.some(({ one }) => one.outside && isSame(one.outside, ledger));
}
