import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { checkoutEventTypes } from '../checkout-events.ts';
import { sellerEventTypes } from '../seller-events.ts';
import { webhookBody, webhookTable, webhookTypes } from './webhook-table.ts';

const page = await readFile(new URL('../../../docs/payments-webhooks.md', import.meta.url), 'utf8');
const definitions = [...checkoutEventTypes, ...sellerEventTypes];

function table(): string {
  const rows = Object.entries(webhookTable).flatMap(([type, row]) => {
    if (row === 'inside') return [];
    const members = row.members.map((name) => `\`${name}\``).join(', ');
    return [`| \`${row.type}\` | \`${type}\` | ${members} |`];
  });
  return ['| webhook | event | data |', '| --- | --- | --- |', ...rows].join('\n');
}

describe('what merchants are told', () => {
  it('is printed in docs/payments-webhooks.md as the code has it', () => {
    expect(page).toContain(table());
    const inside = Object.entries(webhookTable).flatMap(([type, row]) =>
      row === 'inside' ? [`\`${type}\``] : [],
    );
    expect(page.replace(/\s+/g, ' ')).toContain(`Not told: ${inside.join(', ')}.`);
  });

  it('says of every event whether it is told, each by a name of its own', () => {
    expect(Object.keys(webhookTable).toSorted()).toEqual(
      definitions.map(({ name }) => name).toSorted(),
    );
    expect(new Set(webhookTypes).size).toBe(webhookTypes.length);
  });

  it.each(definitions.map((one) => [one.name, one] as const))(
    'of %s holds only members that it has, and no personal data',
    (name, { schema, personal }) => {
      const row = webhookTable[name];
      if (row === 'inside') return;
      const members = Object.keys(schema.shape);
      expect(members).toEqual(expect.arrayContaining([...row.members]));
      const hidden = [...((personal?.fields ?? []) as readonly string[]), 'call_before', 'psp'];
      for (const field of hidden) expect(row.members).not.toContain(field);
    },
  );

  it('is one text, with what is absent left out', () => {
    const data = { seller_account: 'shop', payout_id: 'p-1', amount: '5', currency: 'EUR' };
    const event = { id: 'e-1', type: 'payout-sent', occurredAt: 0, data } as const;
    const body = webhookBody({ ...event, data: { ...data, psp_payout_id: 'po_1' } });
    expect(JSON.parse(body)).toEqual({
      ...{ id: 'e-1', type: 'payout.sent', created: '1970-01-01T00:00:00.000Z', data },
    });
    expect(() => webhookBody({ ...event, type: 'seller-bank-set', data: data as never })).toThrow(
      'not told',
    );
  });
});
