import type { z } from 'zod';

export interface Setting {
  readonly name: string;
  /** As it is written; undefined where nothing is set unless told. */
  readonly unless: string | undefined;
  readonly what: string;
}

/** Each setting with its default and its description, as the schema has them. */
export function settingsOf(fields: { readonly [name: string]: z.ZodType }): Setting[] {
  return Object.entries(fields).map(([name, field]) => {
    const parsed = field.safeParse(undefined);
    const unless = parsed.success ? parsed.data : undefined;
    return {
      name,
      unless: unless === undefined ? undefined : String(unless),
      what: field.description ?? '',
    };
  });
}

/** docs/configuration.md, made from the schema: a test compares. */
export function configurationPage(settings: readonly Setting[]): string {
  const rows = settings.map(({ name, unless, what }) => {
    return `| \`${name}\` | ${unless === undefined ? '' : `\`${unless}\``} | ${what.replaceAll('|', '\\|')} |`;
  });
  return [
    '# Configuration',
    '',
    '<!-- Made from the schema by `npx vitest run apps/platform/configuration-page.test.ts -u`: do not edit. -->',
    '',
    'Every program reads the same environment variables: `npm start`, the projector, the `annals` command. What',
    'is wrong is refused at the start, each setting by its name (exit code 2). Where the log, the read models',
    'and the keys are is printed at the start, without passwords, when it is not the data folder.',
    '',
    '| variable | default | what |',
    '|---|---|---|',
    ...rows,
    '',
    ...guide,
    '',
  ].join('\n');
}

/** .env.example: every setting, commented out. */
export function envExample(settings: readonly Setting[]): string {
  const lines = settings.flatMap(({ name, unless, what }) => [
    '',
    `# ${what}`,
    `# ${name}=${unless ?? ''}`,
  ]);
  return [
    '# The settings of Annals; docs/configuration.md says more. Made from the schema: a test compares.',
    ...lines,
    '',
  ].join('\n');
}

const guide = [
  'In a URL a user, a password and the value of a setting are percent-encoded: `/` is `%2F`, `?` `%3F`, `#` `%23`, `@`',
  '`%40`, `:` `%3A` and `%` `%25`. Others are refused, and their URL is not repeated.',
  '',
  '## Logs',
  '',
  '| URL | what |',
  '|---|---|',
  '| `sqlite:FOLDER` | the embedded log, in `log` below the folder |',
  '| `kafka://[user:password@]host:port,…/topic` | a topic of Kafka; `annals` unless it is named. It is made when it is not there, and refused when its settings would lose events |',
  '| `esdb://[user:password@]host:port?tls=true` | EventStoreDB, as its clients take it (`tlsCAFile`: the authority of its certificate, where that is none of the public ones), and `prefix`: what the streams of this log begin with on the server (end it with `.`: logs whose streams cannot be told apart are not let write to one server) |',
  '',
  'Settings of a topic, behind `?`: `partitions`, `replicas` and `min-in-sync` (of one that is made; one that is there',
  'must have as many or more; the log lives in the first `partitions` of them, and their number never changes), `compression` (`none`, `gzip`), `tls` (`true`), `sasl` (`plain`, `scram-sha-256`, `scram-sha-512`),',
  '`bodies` (of how many records of each partition a replica keeps the data; all unless it is set), `reads` (`linearizable`: a',
  'stream is read up to all that any process was told before; `replica` unless it is set), `format` (of the records that are',
  'written; see [the way to a new one](kafka.md#to-a-new-record-format)), `served` (`0-3,7`: the partitions that this process',
  'follows, for readers like `annals log relay`. Streams of others can be neither read nor written, so the service and its',
  'projectors serve all).',
  '',
  'Of a log on Kafka or EventStoreDB each process keeps a replica, in `replicas` below `ANNALS_DATA`: as many as have it',
  'open at one time, up to 32 (a process that has both roles has two). They are made again when they are lost, so they',
  'need no backup, but a disk that stays spares a start the reading of the whole log.',
  '',
  '## Read models',
  '',
  '| URL | what |',
  '|---|---|',
  '| `sqlite:FOLDER` | files in `projections` below the folder |',
  '| `redis://[user:password@]host:port[/db]` | a Redis 7 that evicts nothing; `rediss` for TLS |',
  '| `redis-cluster://host:port,…` | some nodes of a Redis Cluster; `rediss-cluster` for TLS |',
  '| `cassandra://[user:password@]host:port,…/keyspace?datacenter=…` | a keyspace of Cassandra; `cassandras` for TLS |',
  '',
  'For Redis, behind `?`: `shards` (of a new generation; 1 unless told), `scheme` (of a new generation: `hash` deals places of',
  'players to shards with their rows, `range` by score, which is quicker to read and slower to write; `hash` unless told) and',
  '`prefix` (what our keys begin with; `annals`).',
  'For Cassandra: `replicas`, `consistency`, `serial`, and `buckets` and `order-shards` of a new generation; and `compact`, the',
  'absolute path of a program that erasures need: it is given tables as `keyspace.table`, has every node do `nodetool flush`',
  'and then `nodetool garbagecollect -g CELL` for each, and ends with 0 when all have.',
  '',
  '`ANNALS_LEADERBOARD_ARCHIVE` has closed periods leave the read models of the leaderboard for a store where room is cheap, an',
  'hour after they were closed; they answer as before. The archive is a read model of its own, `leaderboard-archive`: `annals',
  'status`, `rebuild`, `verify` and `promote` know it. Once a period is there, every process must name the archive.',
  '',
  'A prefix of Redis and a keyspace of Cassandra belong to one site: the first that opens them. Another one, that is one with',
  'another log, is refused at the start. The key `PREFIX:site` or the table `annals_site` says whose they are; remove what it',
  'says where a new site takes the place of one that is gone.',
  '',
  'All processes of one site must name the same log, the same stores and the same keys. Keys in `sqlite:` are for',
  'processes of one machine.',
  '',
  '## Roles',
  '',
  'With `ANNALS_ROLES=all`, as it is unless told, one process serves HTTP and keeps the read models, on a thread of its own.',
  'On a cluster run some with `api`, behind a balancer, and some with `projector`: each of them serves `/healthz`,',
  '`/readyz` and `/metrics`. Of the projectors one works on a share of a read model and another takes over when it is gone.',
  'Have whatever supervises them start them again: a process ends with exit code 1 where only a person can mend its log',
  '([Kafka](kafka.md#the-log-in-a-topic)), and serves again after the first start that finds it right.',
  '',
  '```text',
  'ANNALS_ROLES=api',
  'ANNALS_LOG=kafka://kafka-1:9092,kafka-2:9092/annals?partitions=8',
  'ANNALS_LEADERBOARD_STORE=redis://redis:6379?shards=8',
  'ANNALS_KEYS=cassandra://cassandra:9042/annals_keys?datacenter=dc1',
  'ANNALS_MASTER_KEY=… 64 hex digits, the same for every process',
  '```',
  '',
  '## Payment providers',
  '',
  'Where nothing is set, `npm start` starts the sandbox PSP on a port of its own, with its books in `sandbox-psp` below',
  '`ANNALS_DATA`; other processes of that folder use it, too, and where the one that runs it ends, another `npm start` of',
  'that folder takes it over. With `ANNALS_PSP_URL=https://api.stripe.com` payments go to',
  'Stripe: its key and webhook secret must be set then, and its webhooks sent to `/v1/psp/webhooks`. Processes on other',
  'machines all need the same settings. Several providers are named in a file, in `ANNALS_PSP_FILE`; the first rule that',
  'fits and whose provider answers takes a payment, and amounts are minor units:',
  '',
  '```json',
  '{',
  '  "providers": [',
  '    { "name": "main", "url": "https://api.stripe.com", "key": "sk_live_…", "webhook_secrets": ["whsec_…"] },',
  '    { "name": "spare", "url": "https://psp.example", "key": "…", "webhook_secrets": ["…"] }',
  '  ],',
  '  "rules": [',
  '    { "psp": "spare", "currencies": ["JPY"], "amount_max": "5000000" },',
  '    { "psp": "main" },',
  '    { "psp": "spare", "sellers": ["shop-1"] }',
  '  ]',
  '}',
  '```',
  '',
  'A provider may have `"terms"`, what it promises of its own behaviour in milliseconds, each as Stripe\'s unless told: `call_ms_max`',
  '(how long a call waits for its answer), `in_flight_ms_max` (how long after that it may still have its effect, before',
  'a call that left no trace is sent again), `key_life_ms` (how long an idempotency key is kept), `search_lag_ms`.',
  '',
  '`ANNALS_RISK_FILE` names the rules of risk ([payments-risk.md](payments-risk.md)); all members are optional:',
  '',
  '```json',
  '{',
  '  "amounts": [{ "currency": "USD", "review_from": "100000", "reject_from": "1000000" }],',
  '  "velocity": [{ "by": "buyer", "window_minutes": 60, "orders_max": 5, "verdict": "review" }],',
  '  "sanctions": ["A Name That Is Listed"],',
  '  "external": [',
  '    { "name": "guard", "url": "https://risk.example", "key": "…", "answer_ms_max": 800, "on_failure": "closed" }',
  '  ],',
  '  "card": { "answer_ms_max": 2000, "on_failure": "closed" }',
  '}',
  '```',
];
