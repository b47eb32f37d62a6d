import { enableCompileCache } from 'node:module';

/**
 * `npm start`: every product on one port, on the embedded default. Exit codes: 0 stopped, 1 could not
 * start, stop or go on, 2 the configuration is wrong.
 */

// Half of the work of a start is compiling: what was compiled is kept for the next one, below the
// folder for temporary files. It has to be said before anything else is loaded, and threads hear of it
// by the environment.
const { directory } = enableCompileCache();
if (directory) process.env.NODE_COMPILE_CACHE ??= directory;

const { run } = await import('./run.ts');
await run(process.env);
