/** Prints, as JSON, how a device is refused in what looks like a browser page without WebGPU: the argument says if it is secure. */
const [secure] = process.argv.slice(2);
const { log } = console;
const page = {
  navigator: { userAgent: 'Mozilla/5.0' },
  isSecureContext: secure === 'secure',
  location: { origin: 'http://192.0.2.1' },
};
for (const [name, value] of Object.entries({ ...page, process: undefined, require: undefined }))
  Object.defineProperty(globalThis, name, { value, configurable: true });
const { openGpu } = await import('../../src/index.ts');
try {
  await openGpu();
} catch (error) {
  const { name, message, remedy } = error as Error & { remedy: string };
  log(JSON.stringify({ name, message, remedy }));
}
