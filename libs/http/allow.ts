import { type Route, routeName } from './route.ts';

/** The methods a server knows; what it knows and a path lacks is answered 405. */
const knownMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const;

export interface Refusals {
  readonly url: string;
  /** Methods to answer 405. */
  readonly methods: readonly (typeof knownMethods)[number][];
  /** The Allow header (RFC 9110 §10.2.1). */
  readonly allow: string;
}

/**
 * For each path what to refuse. A path may be covered by the patterns of others, too: where
 * `POST /scores/batch` and `GET /scores/:user` are served, GET /scores/batch is a user of that name.
 */
export function refusalsOf(routes: readonly Route[]): Refusals[] {
  const urls = [...new Set(routes.map((route) => route.url))];
  return urls.map((url) => {
    const covering = routes.filter((route) => covers(route.url, url));
    const served = new Set(covering.flatMap((route) => methodsOf(route)));
    return {
      url,
      methods: knownMethods.filter((method) => !served.has(method)),
      allow: knownMethods.filter((method) => served.has(method)).join(', '),
    };
  });
}

function methodsOf(route: Route): string[] {
  // A HEAD of an event stream would have no end.
  return route.method === 'GET' && !route.streams ? ['GET', 'HEAD'] : [route.method];
}

/** Whether every path of the pattern `url` is one of the pattern `pattern`, too. */
function covers(pattern: string, url: string): boolean {
  const wanted = pattern.split('/');
  const given = url.split('/');
  if (wanted.length !== given.length) return false;
  return wanted.every((segment, at) => segment.startsWith(':') || segment === given[at]);
}

/** Refuses two routes for one method and path: which of them answers would be chance. */
export function refuseDoubles(routes: readonly Route[]): void {
  const seen = new Set<string>();
  for (const route of routes) {
    const name = routeName(route);
    if (seen.has(name)) throw new TypeError(`${name} is declared twice`);
    seen.add(name);
  }
}
