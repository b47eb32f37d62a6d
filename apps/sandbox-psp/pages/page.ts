/** The sandbox's pages: plain HTML that loads nothing from anywhere and runs no script. */

export interface Page {
  readonly status: number;
  readonly title: string;
  readonly content: string;
}

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

const style = `
:root { color-scheme: light dark; --line: #8886; --mark: #b45309; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 46rem; padding: 1rem; }
.sandbox { border: 2px solid var(--mark); border-radius: 6px; padding: .5rem .75rem; }
h1 { font-size: 1.4rem; }
table { border-collapse: collapse; width: 100%; }
.wide { overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .5rem; text-align: left; vertical-align: top; }
label { display: block; margin: .75rem 0; }
input { font: inherit; padding: .5rem; width: 100%; box-sizing: border-box; }
button { font: inherit; padding: .5rem 1rem; margin: .25rem .5rem .25rem 0; }
.problem { border-left: 4px solid #b91c1c; padding-left: .75rem; }
`;

export function pageHtml({ title, content }: Page): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)} · sandbox</title><style>${style}</style></head>
<body><p class="sandbox"><strong>Sandbox.</strong> No money moves here. Never enter a real card.</p>
<main><h1>${escaped(title)}</h1>
${content}
</main></body></html>
`;
}

/** What comes with every page: it is shown nowhere else, and sends its forms only where it came from. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};
