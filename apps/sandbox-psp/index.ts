export { type Config, configSchema } from './config.ts';
export {
  defaultFees,
  defaultPace,
  type Fees,
  type Pace,
} from './core/books.ts';
export type { Delivery } from './core/delivery.ts';
export { type Fault, type FaultInput, faultSchema } from './core/faults.ts';
export { Sandbox, type SandboxOptions } from './core/sandbox.ts';
export { Storage } from './core/storage.ts';
export { bankAccounts, cards } from './core/test-tokens.ts';
export { sandboxFetch } from './in-process.ts';
export { type RunningSandbox, type StartOptions, startSandbox } from './start.ts';
export {
  type SandboxThread,
  type SandboxThreadOptions,
  startSandboxThread,
} from './start-sandbox-thread.ts';
