/**
 * The ladder, lowest rung first: a package imports only from rungs strictly below its own.
 * Apps and tools stand together on the top rung and may also import each other, where the
 * dependency is declared and no circle arises. ARCHITECTURE.md shows the same table.
 */
export const ladder: readonly (readonly string[])[] = [
  ['libs/core'],
  ['libs/event-log', 'libs/subject-keys'],
  ['libs/event-log-sqlite'],
  ['libs/event-log-kafka', 'libs/event-log-eventstoredb', 'libs/projection'],
  ['libs/store-sqlite', 'libs/store-redis', 'libs/store-cassandra'],
  ['libs/leaderboard', 'libs/payments', 'libs/objects', 'libs/mail', 'libs/iam'],
  ['libs/http'],
  ['apps/*', 'tools/*'],
];

/** The rung of the package in `folder` (`libs/core` → 0), or undefined when it has none. */
export function rungOf(folder: string): number | undefined {
  const anyOfItsKind = `${folder.slice(0, folder.indexOf('/'))}/*`;
  const rung = ladder.findIndex((names) => names.includes(folder) || names.includes(anyOfItsKind));
  return rung < 0 ? undefined : rung;
}

/** Whether the package in `from` may import the one in `to`; circles are looked for elsewhere. */
export function mayImport(from: string, to: string): boolean {
  const [fromRung, toRung] = [rungOf(from), rungOf(to)];
  if (fromRung === undefined || toRung === undefined) return false;
  return (
    toRung < fromRung || (from !== to && fromRung === ladder.length - 1 && toRung === fromRung)
  );
}

/** The ladder as the Markdown table of ARCHITECTURE.md. */
export function ladderTable(): string {
  const rows = ladder.map(
    (names, rung) => `| ${rung + 1} | ${names.map((name) => `\`${name}\``).join(', ')} |`,
  );
  return ['| rung | packages |', '|---|---|', ...rows].join('\n');
}
