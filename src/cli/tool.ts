// Name and version of the tool, from package.json: the one place where the version stands.
import { createRequire } from 'node:module';

const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string };

export const TOOL: { readonly name: string; readonly version: string } = { name: 'onlay', version };
