import ipaddr from 'ipaddr.js';
import { holdsPan } from '../pan.ts';
import { webhookLimits } from './limits.ts';

/**
 * Whether an address is one of the public internet. A merchant names the URL, the platform calls it from inside its
 * network: what is only reachable from there must not be (server-side request forgery).
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // An IPv4 address in the clothes of an IPv6 one is judged as what it is.
  return ipaddr.process(address).range() === 'unicast';
}

export interface AllowedUrls {
  /** Only for trying, and for endpoints inside the own network. */
  readonly allowPrivate: boolean;
}

/** Why a URL cannot be an endpoint; undefined where it can. Names are looked up when they are called, not here. */
export function webhookUrlProblem(text: string, { allowPrivate }: AllowedUrls): string | undefined {
  if (text.length > webhookLimits.urlCharsMax) {
    return `must have at most ${webhookLimits.urlCharsMax} characters`;
  }
  // The parser would drop line breaks and tabs, and take other letters for their ASCII forms.
  if (!/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) {
    return 'must be an absolute URL of visible ASCII characters';
  }
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https or http';
  if (url.username !== '' || url.password !== '') return 'must not have a user name or a password';
  if (url.hash !== '') return 'must not have a fragment';
  if (holdsPan(text)) return 'must not hold a card number';
  if (!allowPrivate && !mayBePublic(url.hostname))
    return 'must be an address of the public internet';
  return undefined;
}

/** The URL parser has written numeric hosts as plain addresses by now: `0x7f.1` is `127.0.0.1`. */
function mayBePublic(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (ipaddr.isValid(host)) return isPublicAddress(host);
  return host !== 'localhost' && !host.endsWith('.localhost');
}
