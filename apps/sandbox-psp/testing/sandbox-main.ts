import { sitePace } from '@annals/payments/psp/contract';
import { configSchema } from '../config.ts';
import { startSandbox } from '../start.ts';

/** The program with the pace of the contract: things happen when the test sets the time forward. */
const config = configSchema.parse(process.env);
const running = await startSandbox(config, { pace: sitePace, onTrouble: console.error });
process.stdout.write(`API ${running.url}/v1\n`);
