/** Where something lies is refused with the reason, which holds no password. */
export interface BadUrl {
  readonly kind: 'bad-url';
  readonly problem: string;
}

export function badUrl(problem: string): BadUrl {
  return { kind: 'bad-url', problem };
}

/** The parts of `scheme://user:password@host:port,host:port/path?settings`, the user and password decoded. */
export interface UrlParts {
  readonly scheme: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** `host:port`, or `host`, at least one. */
  readonly hosts: readonly string[];
  readonly path: string;
  readonly settings: ReadonlyMap<string, string>;
}

const urlPattern =
  /^([a-z][a-z+-]*):\/\/(?:([^:@/?#]*)(?::([^:@/?#]*))?@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const hostPattern = /^(?:\[[0-9a-f:]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/i;
const portMax = 65_535;

/** The parts of a URL with any number of hosts, whose settings are among `known`. */
export function urlParts(url: string, known: readonly string[]): UrlParts | BadUrl {
  const misread = misreadUser(url);
  if (misread) return misread;
  const match = urlPattern.exec(url);
  if (!match) {
    const [named = 'scheme'] = /^[a-z][a-z+-]*(?=:\/\/)/.exec(url) ?? [];
    return badUrl(`is not ${named}://[user:password@]host:port`);
  }
  const [, scheme = '', user, password, hostList = '', path = '', query = ''] = match;
  const hosts = hostList.split(',');
  const wrong = hosts.find((host) => !isHost(host));
  if (wrong !== undefined) return badUrl(`has no host and port in ${JSON.stringify(wrong)}`);
  const settings = settingsIn(query, known);
  if (!(settings instanceof Map)) return settings;
  try {
    return {
      ...{ scheme, hosts, settings },
      user: user && decodeURIComponent(user),
      password: password && decodeURIComponent(password),
      path: decodeURIComponent(path),
    };
  } catch {
    return badUrl('has a % that is followed by no two hexadecimal digits');
  }
}

/**
 * A part of a password would be taken for host, path or settings, and be told in what is refused of them: so
 * an "@" stands before the hosts alone.
 */
function misreadUser(url: string): BadUrl | undefined {
  const [, who] = /^[^:]*:\/\/(.*)@/s.exec(url) ?? [];
  if (who === undefined || /^[^:/?#@]*(?::[^:/?#@]*)?$/.test(who)) return undefined;
  return badUrl(
    'has an "@" behind a "/", "?", "#", "@" or second ":": in a user, a password or a setting these must be ' +
      'percent-encoded, as %2F, %3F, %23, %40 and %3A',
  );
}

function isHost(text: string): boolean {
  const match = hostPattern.exec(text);
  const port = Number(match?.[1] ?? 1);
  return match !== null && port >= 1 && port <= portMax;
}

/** Each once, and none that is not known: a setting with a slip in it must not be left out in silence. */
function settingsIn(query: string, known: readonly string[]): Map<string, string> | BadUrl {
  const settings = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name)) {
      const meant = nearestOf(known, name);
      const knows = meant === undefined ? '' : `: is it ${meant}? There is ${known.join(', ')}`;
      return badUrl(`knows no setting ${JSON.stringify(name)}${knows}`);
    }
    if (settings.has(name)) return badUrl(`has ${name} twice`);
    settings.set(name, value);
  }
  return settings;
}

/** The word that is most like `name`: with the fewest letters to put in, leave out or change. */
function nearestOf(words: readonly string[], name: string): string | undefined {
  const distances = words.map((word) => [word, editsBetween(word, name)] as const);
  return distances.sort(([, one], [, other]) => one - other)[0]?.[0];
}

/** Levenshtein's distance, whatever the case of the letters. */
function editsBetween(one: string, other: string): number {
  const letters = [...other.toLowerCase()];
  let row = Array.from({ length: letters.length + 1 }, (_, column) => column);
  for (const letter of one.toLowerCase()) {
    const above = row;
    row = [(above[0] as number) + 1];
    for (const [column, own] of letters.entries()) {
      const change = (above[column] as number) + (own === letter ? 0 : 1);
      const left = (row[column] as number) + 1;
      row.push(Math.min(change, left, (above[column + 1] as number) + 1));
    }
  }
  return row.at(-1) as number;
}

/** A setting that is a whole number from 1 to `max`; undefined when it is not there. */
export function countIn(
  { settings }: UrlParts,
  name: string,
  max: number,
): number | undefined | BadUrl {
  const text = settings.get(name);
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^\d{1,10}$/.test(text) && count >= 1 && count <= max) return count;
  return badUrl(`has ${name}=${text}, which is no number from 1 to ${max}`);
}

/** A setting like `0-3,7`: whole numbers from 0 to `max`, ascending, each once; undefined when it is not there. */
export function numbersIn(
  { settings }: UrlParts,
  name: string,
  max: number,
): readonly number[] | undefined | BadUrl {
  const text = settings.get(name);
  if (text === undefined) return undefined;
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    if (first === undefined || Number(first) > Number(last) || Number(last) > max) {
      return badUrl(`has ${name}=${text}, which is no list like 0-3,7 of numbers up to ${max}`);
    }
    for (let number = Number(first); number <= Number(last); number += 1) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}

/** A setting that is one of a few words; undefined when it is not there. */
export function wordIn<Word extends string>(
  { settings }: UrlParts,
  name: string,
  words: readonly Word[],
): Word | undefined | BadUrl {
  const text = settings.get(name);
  if (text === undefined) return undefined;
  const word = words.find((one) => one === text);
  return word ?? badUrl(`has ${name}=${text}, which is none of ${words.join(', ')}`);
}

export function isBad(value: unknown): value is BadUrl {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'bad-url';
}

const sqlitePattern = /^sqlite:(?!\/\/)(.+)$/s;

/** The folder of `sqlite:FOLDER`; undefined for any other scheme. */
export function sqliteFolder(url: string): string | BadUrl | undefined {
  if (!url.startsWith('sqlite:')) return undefined;
  return sqlitePattern.exec(url)?.[1] ?? badUrl('is not sqlite:FOLDER, as in sqlite:./data');
}
