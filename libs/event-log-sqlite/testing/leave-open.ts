import { writeSync } from 'node:fs';
import { sampleEvent } from '@annals/event-log/contract';
import { sqliteEventLog } from '../index.ts';

/** Appends once and comes to its end with the log still open. */

const log = await sqliteEventLog({ folder: process.argv[2] as string });
const { kind } = await log.append('sample-1', [sampleEvent()], { expected: 'any' });
writeSync(1, `${kind}\n`);
