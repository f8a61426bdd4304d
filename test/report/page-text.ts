/** A page as XML, without its own style sheet. */
export const bare = (html: string): string =>
  html
    .replace('<!doctype html>\n', '')
    .replace(/<style>.*?<\/style>/s, '<style></style>')
    .trim();

/** What can be read on it. */
export const visible = (html: string): string =>
  bare(html)
    .replace(/<[^>]*>/g, ' ')
    .replace(/[ \n]+/g, ' ');
