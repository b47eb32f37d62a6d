/** A URL as it may be shown: the password, and whoever stands alone before the host, are left out. */
export function maskedUrl(url: string): string {
  return url.replace(
    /^([a-z+-]+:\/\/)([^@/]*)@/i,
    (_, scheme: string, who: string) => `${scheme}${who.replace(/:.*$/s, ':***')}@`,
  );
}
