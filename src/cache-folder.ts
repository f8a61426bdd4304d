import envPaths from 'env-paths';

/** Where drivers, datasets and choices of kernels are kept: `COLLIMATE_CACHE`, or the system's cache folder of this user. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.COLLIMATE_CACHE || envPaths('collimate', { suffix: '' }).cache;
}
