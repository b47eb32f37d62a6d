import { writeSync } from 'node:fs';
import { sampleEvent } from '@annals/event-log/contract';
import { sqliteEventLog } from '../index.ts';

/**
 * `folder updates`: reads the total in the last event of `counter-1` and appends the next one,
 * expecting the revision it read, `updates` times. Writes how many conflicts it met.
 */

const [, , folder, updates] = process.argv;
const log = await sqliteEventLog({ folder: folder as string });
let conflicts = 0;
for (let done = 0; done < Number(updates); ) {
  const { events, head } = await log.readStream('counter-1', { direction: 'backward', limit: 1 });
  const total = events[0] ? (JSON.parse(events[0].data) as { total: number }).total : 0;
  const event = sampleEvent({ data: { total: total + 1 } });
  const result = await log.append('counter-1', [event], { expected: head });
  if (result.kind === 'stored') done += 1;
  else if (result.kind === 'conflict') conflicts += 1;
  else throw new Error(JSON.stringify(result));
}
await log.close();
writeSync(1, String(conflicts));
