import { writeSync } from 'node:fs';
import { sampleEvent } from '@annals/event-log/contract';
import { sqliteEventLog } from '../index.ts';

/** `folder appends`: appends one event at a time, and writes a line for each that was acknowledged. */

const [, , folder, appends] = process.argv;
const log = await sqliteEventLog({ folder: folder as string });
for (let append = 0; append < Number(appends); append += 1) {
  const { kind } = await log.append('sample-1', [sampleEvent()], { expected: 'any' });
  if (kind !== 'stored') throw new Error(kind);
  writeSync(1, `acknowledged ${append}\n`);
}
await log.close();
