// Compiles everything to dist/ from scratch when a source was removed, else incrementally.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

// what was compiled from a file that is gone would still be run and shipped
for (const folder of ['src', 'test', 'bench']) {
  const compiled = join(dist, folder);
  if (!existsSync(compiled)) continue;
  for (const file of readdirSync(compiled, { recursive: true, encoding: 'utf8' })) {
    const source = join(root, folder, file.replace(/\.(?:d\.ts|js\.map|js)$/, '.ts'));
    if (/\.(?:ts|js|map)$/.test(file) && !existsSync(source)) rmSync(join(compiled, file));
  }
}
if (!existsSync(join(dist, 'src'))) rmSync(dist, { recursive: true, force: true });
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', root], { stdio: 'inherit', cwd: root });
process.exit(status ?? 1);
