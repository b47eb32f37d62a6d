import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, onTestFinished, test, vi } from 'vitest';
import { eventstoredbEventLog } from './index.ts';
import { freshFolder } from './testing/fresh-folder.ts';

vi.setConfig({ testTimeout: 60_000 });

await describeOn('eventstoredb-tls', 'the EventStoreDB log over TLS', ({ url }) => {
  const prefix = `tls_${randomUUID().slice(0, 13)}.`;
  const open = async (connection: string) => {
    const log = await eventstoredbEventLog({ connection, prefix, folder: freshFolder() });
    onTestFinished(() => log.close());
    return log;
  };
  /** A setting of the connection string is another one. */
  const where = (name: string, value: string): string => {
    const [address = '', query = ''] = url.split('?');
    const settings = new URLSearchParams(query);
    settings.set(name, value);
    return `${address}?${settings}`;
  };
  const refused = async (connection: string): Promise<Error> => {
    const error = await open(connection).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).not.toMatch(/secret|:\/\//);
    return error as Error;
  };

  test('appends and reads with user, password and the authority of the server', async () => {
    const log = await open(url);
    const event = sampleEvent();
    const stored = await log.append('sample-1', [event], { expected: 'no-stream' });
    expect(stored).toMatchObject({ kind: 'stored', revision: 0, duplicate: false });
    const other = await open(url);
    await other.barrier('sample-1');
    const { events } = await other.readStream('sample-1');
    expect(events.map(({ id }) => id)).toEqual([event.id]);
  });

  test.each([
    ['another password', url.replace(/\/\/([^:]+):[^@]+@/, '//$1:secret@')],
    ['another user', url.replace(/\/\/[^@]+@/, '//nobody:secret@')],
    ['no user', url.replace(/\/\/[^@]+@/, '//')],
  ])('is refused with %s', async (_what, connection) => {
    const error = await refused(connection);
    expect(error).toMatchObject({ name: 'EventLogError', code: 'refused' });
    expect(error.message).toMatch(/^EventStoreDB at \S+:\d+ refuses us: check user and password$/);
  });

  test('does not trust a server whose authority it was not told', async () => {
    const [address = ''] = url.split('?');
    const error = await refused(`${address}?tls=true`);
    expect(error.message).toMatch(
      /^EventStoreDB at \S+ has a certificate that is not trusted \(.+\)/,
    );
  });

  test('says that a file of certificates is not there, or is none', async () => {
    const missing = await refused(where('tlsCAFile', join(freshFolder(), 'none.crt')));
    expect(missing.message).toContain('check tlsCAFile');
    const file = join(freshFolder(), 'wrong.crt');
    writeFileSync(file, 'no certificate');
    const wrong = await refused(where('tlsCAFile', file));
    expect(wrong.message).toMatch(/^EventStoreDB at \S+ has a certificate that is not trusted/);
  });
});
