/**
 * A URL as it may be shown: the password, and whoever stands alone before the host, are left out. A password
 * with a "/", "?", "#" or "@" in it, which makes no URL, is left out as well: all up to the last "@" is.
 */
export function maskedUrl(url: string): string {
  return url.replace(/^([a-z+-]+:\/\/)(.*)@/is, (_, scheme: string, who: string) => {
    const user = /^[^:/?#@]*(?=:)/.exec(who)?.[0];
    return `${scheme}${user === undefined ? '***' : `${user}:***`}@`;
  });
}
