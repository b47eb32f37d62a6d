/** The version of Annals: of every package here, of the command and of the HTTP API. */
export const annalsVersion = '0.1.0';
