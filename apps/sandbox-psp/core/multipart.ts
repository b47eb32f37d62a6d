/** Forms with files (`multipart/form-data`), as the official client sends them: text has a character for each byte. */

/** The boundary of such a form; undefined for another one. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  return /^multipart\/form-data;.*boundary="?([^";]{1,70})"?/i.exec(contentType ?? '')?.[1];
}

/** Members by their names; a file as `{ name, type, data }`. Undefined for what is no such form. */
export function parseMultipart(
  body: string,
  boundary: string,
): Record<string, unknown> | undefined {
  const parts = `\r\n${body}`.split(`\r\n--${boundary}`);
  if (parts.length < 3 || !/^--\s*$/.test(parts.at(-1) ?? '')) return undefined;
  const given: Record<string, unknown> = {};
  for (const part of parts.slice(1, -1)) {
    const end = part.indexOf('\r\n\r\n');
    const head = part.slice(0, end);
    const name = /name="([^"]{1,100})"/i.exec(head)?.[1];
    if (end < 0 || name === undefined) return undefined;
    const data = part.slice(end + 4);
    const filename = /filename="([^"]*)"/i.exec(head)?.[1];
    const type = /^content-type: (.+)$/im.exec(head)?.[1]?.trim() ?? 'application/octet-stream';
    given[name] = filename === undefined ? data : { name: filename, type, data };
  }
  return given;
}
