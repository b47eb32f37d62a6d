import { defineConfig } from 'vitest/config';

// Nx asks its tasks for colors. The programs that tests start would inherit that, and Node.js warns on
// standard error where NO_COLOR is set, too.
delete process.env.FORCE_COLOR;

export default defineConfig({
  test: {
    include: ['{apps,libs,tools}/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
  },
});
