// Where things are: tests run from dist/test, sources and fixtures lie in the project, shared data beside it.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(directory: string): string {
  return existsSync(join(directory, 'package-lock.json')) ? directory : findRoot(dirname(directory));
}

/** Absolute path of the project. */
export const projectRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)));

/** Real root file systems, packages and oracles, where the project has them beside it; undefined elsewhere. */
export function sharedFolder(): string | undefined {
  const folder = resolve(process.env['ONLAY_SHARED'] ?? join(projectRoot, '..', 'shared'));
  return existsSync(join(folder, 'data')) ? folder : undefined;
}
