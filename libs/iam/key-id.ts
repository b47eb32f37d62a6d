/** Whether `text` is the id of a key: 16 hex digits. */
export function isKeyId(text: string): boolean {
  return /^[0-9a-f]{16}$/.test(text);
}
