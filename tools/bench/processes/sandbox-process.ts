import { configSchema, startSandbox } from '@annals/sandbox-psp';

/** The sandbox provider as a process of its own, with its books in the folder that is its argument; it ends when the channel closes. */
export interface FromSandbox {
  readonly url: string;
}

const [folder = ''] = process.argv.slice(2);
const config = configSchema.parse({ SANDBOX_PSP_DATA: folder, SANDBOX_PSP_PORT: '0' });
const running = await startSandbox(config);
process.on('disconnect', () => void running.stop().then(() => process.exit(0)));
const message: FromSandbox = { url: running.url };
process.send?.(message);
