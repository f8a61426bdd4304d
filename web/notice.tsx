import type { ComponentChildren } from 'preact';

interface Props {
  /** What happened, and what to do about it. */
  readonly title: string;
  readonly text: string | undefined;
  readonly children?: ComponentChildren;
}

/** An error in words, and what can be done about it at once. */
export function Notice({ title, text, children }: Props) {
  return (
    <div class="notice" role="alert">
      <p>
        <b>{sentence(title)}</b> {text}
      </p>
      {children}
    </div>
  );
}

const sentence = (words: string): string =>
  words.replace(/^./, (letter) => letter.toUpperCase()).replace(/[^.]$/, '$&.');
