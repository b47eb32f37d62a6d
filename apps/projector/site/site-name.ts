import { newId, type SubjectCipher } from '@annals/core';
import { type EventLog, EventTypes, eventType } from '@annals/event-log';
import { z } from 'zod';

/** The id of this event is the name of the site, wherever its log is copied to. */
const siteNamed = eventType({ name: 'site-named', schemaVersion: 1, schema: z.strictObject({}) });

/** What a log tells of its site. */
export const siteEvents = new EventTypes([siteNamed]);

const siteStream = 'site-1';

export class SiteUnnamedError extends Error {
  readonly code = 'site-unnamed';
  constructor(detail: string) {
    super(`the log did not take the name of this site: ${detail}`);
    this.name = 'SiteUnnamedError';
  }
}

/**
 * The name by which stores that several sites can reach tell this one from others. It is in the log: made by the
 * first process that asks, the same for all, and the same after a copy, an export and an import.
 */
export async function nameOfSite(log: EventLog, now: number): Promise<string> {
  const known = await nameIn(log);
  if (known !== undefined) return known;
  const event = { type: 'site-named', id: newId(), occurredAt: now, data: {} } as const;
  const encoded = await siteEvents.encode([event], noPersonalData);
  if (encoded.kind !== 'encoded') throw new TypeError('the name of a site is no personal data');
  const result = await log.append(siteStream, encoded.events, { expected: 'no-stream' });
  // Another process may have been quicker: its name counts.
  const name = await nameIn(log);
  if (name === undefined) throw new SiteUnnamedError(result.kind);
  return name;
}

async function nameIn(log: EventLog): Promise<string | undefined> {
  const { events } = await log.readStream(siteStream, { from: 0, limit: 1 });
  return events[0]?.id;
}

const noPersonalData: SubjectCipher = {
  keyring: () => Promise.reject(new Error('the name of a site is no personal data')),
};
