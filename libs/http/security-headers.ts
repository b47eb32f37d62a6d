import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';

/**
 * The security headers of a JSON API's answers, as helmet writes them. They are the same for every
 * request, so helmet runs once; @fastify/helmet runs it, and three promises, for each.
 * Left out are those that only concern HTML pages and browsers long gone, and
 * Strict-Transport-Security, which a server that speaks no TLS must not send (RFC 6797 §7.2): it is the
 * business of the proxy that does.
 */
export function securityHeaders(): { readonly [name: string]: string } {
  const answer = new ServerResponse(new IncomingMessage(new Socket()));
  const stamp = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    originAgentCluster: false,
    referrerPolicy: false,
    strictTransportSecurity: false,
    crossOriginOpenerPolicy: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xFrameOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  });
  stamp(answer.req, answer, () => undefined);
  return Object.fromEntries(
    Object.entries(answer.getHeaders()).map(([name, value]) => [name, String(value)]),
  );
}
