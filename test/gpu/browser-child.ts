/**
 * Prints, as JSON, how a device is refused in a mock browser page: one that is `secure` but lacks WebGPU,
 * one that is `insecure`, or one whose adapter is `used up`.
 */
const [kind] = process.argv.slice(2);
const { log } = console;
const requestAdapter = async () => ({
  ...{
    info: { vendor: '', architecture: '', device: '', description: 'Voodoo 2' },
    limits: {},
    features: new Set(),
  },
  requestDevice: () => Promise.reject(new Error('the adapter was consumed')),
});
const page = {
  navigator: { userAgent: 'Mozilla/5.0', gpu: kind === 'used up' ? { requestAdapter } : undefined },
  isSecureContext: kind !== 'insecure',
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
