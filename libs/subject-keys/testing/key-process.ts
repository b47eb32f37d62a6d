import { sqliteSubjectKeyStore } from '../sqlite/sqlite-subject-key-store.ts';

/**
 * A process of its own on a key folder, for tests: `<create|destroy> <folder> <master key> <subjects…>`.
 * It prints one line of JSON for each subject once that is done, and goes on until it has done all.
 */
const [operation, folder, masterKey, ...subjects] = process.argv.slice(2);
const store = await sqliteSubjectKeyStore({
  folder: String(folder),
  masterKey: Buffer.from(String(masterKey), 'hex'),
});
for (const subject of subjects) {
  if (operation === 'destroy') await store.destroy([subject]);
  const entry = (await store.create([subject])).get(subject);
  const key = entry?.kind === 'key' ? Buffer.from(entry.key).toString('hex') : entry?.kind;
  process.stdout.write(`${JSON.stringify({ subject, key })}\n`);
}
await store.close();
