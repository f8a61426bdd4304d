import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** SHA-256 of bytes or text, in hexadecimal digits. */
export const sha256 = (contents: Uint8Array | string): string =>
  createHash('sha256').update(contents).digest('hex');

/** The same for a file of any size. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
