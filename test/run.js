// Runs compiled test files with node:test: `node test/run.js SUITE…`. Unit tests of one top folder share a process
// (start-up costs more than most of them); all other suites get a process per file.
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

function testsBelow(folder) {
  try {
    return readdirSync(join(dist, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.js'))
      .map((file) => join(dist, folder, file))
      .sort();
  } catch {
    return [];
  }
}

function unitEntries() {
  const entries = join(dist, 'unit');
  rmSync(entries, { recursive: true, force: true });
  mkdirSync(entries, { recursive: true });
  const groups = Map.groupBy
    ? Map.groupBy(testsBelow('src'), (file) => relative(join(dist, 'src'), file).split('/')[0])
    : testsBelow('src').reduce((map, file) => {
        const group = relative(join(dist, 'src'), file).split('/')[0];
        return map.set(group, [...(map.get(group) ?? []), file]);
      }, new Map());
  return [...groups].map(([group, files]) => {
    const entry = join(entries, `${group}.test.js`);
    writeFileSync(
      entry,
      files.map((file) => `await import(${JSON.stringify(pathToFileURL(file).href)});\n`).join(''),
    );
    return entry;
  });
}

const suites = process.argv.slice(2);
const files = suites.flatMap((suite) => {
  if (suite === 'unit') return unitEntries();
  if (suite === 'architecture') return [join(dist, 'test', 'architecture.test.js')];
  // one file: "oracle/real-tools"
  if (suite.includes('/')) return [join(dist, 'test', `${suite}.test.js`)];
  return testsBelow(join('test', suite));
});
if (files.length === 0) {
  console.error(`no tests in ${suites.join(', ')}`);
  process.exit(1);
}
// oracle cases are built once and shared: one file at a time, so that none is built twice at once
const concurrency = suites.some((suite) => suite.startsWith('oracle'))
  ? 1
  : (process.env.TEST_CONCURRENCY ?? 2);
const preload = pathToFileURL(join(dist, 'test', 'support', 'property-seed.js')).href;
const args = ['--import', preload, '--test', `--test-concurrency=${concurrency}`, ...files];
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root });
process.exit(status ?? 1);
