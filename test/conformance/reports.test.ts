// Every report format of src/reports/index.ts: its real reports are recognised by it alone, and nothing a file can hold
// does more than an OnlayError. A new format is tested by its line there and a file fixtures/reports/FORMAT-….json.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { OnlayError } from '../../src/errors.ts';
import { parseReport, reportFormats } from '../../src/reports/index.ts';
import type { Report } from '../../src/reports/index.ts';
import { projectRoot } from '../support/project.ts';

const FOLDER = join(projectRoot, 'fixtures', 'reports');
const fixtures = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => ({
    name,
    format: name.slice(0, name.indexOf('-')),
    bytes: readFileSync(join(FOLDER, name)),
  }));

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What became of a document: its findings, or the code of an OnlayError; anything else thrown fails the test. */
function outcome(bytes: Uint8Array): Report | string {
  try {
    return parseReport(bytes, 'report.json');
  } catch (error) {
    if (!(error instanceof OnlayError)) throw error;
    assert.match(error.code, /^REPORT_(?:INVALID|UNSUPPORTED)$/, error.message);
    assert.ok(error.message.length < 1000, `a message of ${error.message.length} characters`);
    return error.code;
  }
}

function isWellFormed(report: Report): void {
  for (const { id, name, fixed, arch, installed, severity } of report.findings) {
    assert.equal(typeof id, 'string');
    assert.ok(typeof name === 'string' && name !== '');
    for (const text of [...fixed, arch ?? '', installed ?? '', severity ?? ''])
      assert.equal(typeof text, 'string');
    assert.ok(!fixed.includes(''));
  }
  assert.equal(typeof report.languageFindings, 'number');
  for (const text of [...report.subject.diffIds, ...report.subject.manifestDigests])
    assert.equal(typeof text, 'string');
}

test('names of formats are unique, and each has a report in the fixtures with its origin', () => {
  const names = reportFormats.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  const origin = readFileSync(join(FOLDER, 'ORIGIN'), 'utf8');
  for (const { name } of fixtures) assert.ok(origin.includes(name), `ORIGIN names ${name}`);
  for (const name of names)
    assert.ok(
      fixtures.some(({ format }) => format === name),
      `fixtures/reports has a ${name}-….json`,
    );
});

for (const { name, format, bytes } of fixtures) {
  const document = JSON.parse(bytes.toString()) as Json;

  test(`${name} is recognised as ${format} and nothing else, and read`, () => {
    assert.deepEqual(
      reportFormats.filter((candidate) => candidate.detect(document)).map((found) => found.name),
      [format],
    );
    const report = parseReport(bytes, name);
    assert.equal(report.format, format);
    assert.equal(report.source, name);
    assert.ok(report.findings.length > 0);
    assert.ok(report.findings.some(({ fixed }) => fixed.length > 0));
    assert.ok(report.os && report.os.family !== '' && report.os.version !== '');
    assert.ok(report.architecture);
    isWellFormed(report);
  });

  test(`${name} with anything in place of any part is read or refused`, () => {
    const places = pathsOf(document);
    fc.assert(
      fc.property(fc.nat(places.length - 1), hostile, (index, value) => {
        const changed = replace(document, places[index] ?? [], value);
        const result = outcome(Buffer.from(JSON.stringify(changed)));
        if (typeof result !== 'string') isWellFormed(result);
      }),
      { numRuns: 400 },
    );
  });

  test(`${name} cut short or with other bytes in it is read or refused`, () => {
    fc.assert(
      fc.property(
        fc.nat(bytes.length - 1),
        fc.uint8Array({ maxLength: 4 }),
        fc.boolean(),
        (at, other, cut) => {
          outcome(
            cut
              ? bytes.subarray(0, at)
              : Buffer.concat([bytes.subarray(0, at), other, bytes.subarray(at + other.length)]),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  test(`${name} with keys like __proto__ everywhere pollutes nothing`, () => {
    const text = bytes
      .toString()
      .replaceAll(
        '{',
        '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"hasOwnProperty":1,',
      )
      .replaceAll(/,(\s*)\}/g, '$1}');
    const result = outcome(Buffer.from(text));
    assert.ok(typeof result !== 'string', 'it is read');
    isWellFormed(result);
    assert.equal(result.findings.length, parseReport(bytes, name).findings.length);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });
}

for (const { name: format } of reportFormats)
  test(`a ${format} report with 100 000 findings is read`, () => {
    const fixture = fixtures.find((candidate) => candidate.format === format);
    assert.ok(fixture);
    const document = JSON.parse(fixture.bytes.toString()) as Json;
    const place = pathsOf(document).find((path) => isList(at(document, path), 'PkgName', 'name'));
    assert.ok(place, 'the list of findings');
    const findings = at(document, place) as readonly Json[];
    const many = Array.from({ length: 100_000 }, (_, index) => findings[index % findings.length] as Json);
    const report = parseReport(Buffer.from(JSON.stringify(replace(document, place, many))), fixture.name);
    assert.equal(report.findings.length, 100_000);
  });

test('documents of no format, and nesting without end, are refused', () => {
  for (const depth of [1000, 100_000]) {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const nested = `${open.repeat(depth)}1${close.repeat(depth)}`;
      assert.equal(typeof outcome(Buffer.from(nested)), 'string');
      for (const { bytes } of fixtures)
        outcome(Buffer.from(bytes.toString().replace('{', `{"zzz":${nested},`)));
    }
  }
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      outcome(Buffer.from(JSON.stringify(value)));
    }),
  );
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void outcome(bytes)));
  outcome(Buffer.from(JSON.stringify({ ['key'.repeat(2000)]: 1 })));
});

const hostile: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    -1,
    1e308,
    '',
    [],
    {},
    [[]],
    [null],
    [{}],
    '__proto__',
    'x'.repeat(5000),
    { toString: 1, valueOf: 1 },
  ),
  fc.constantFrom<Json>(
    '\u0000',
    '\ud800',
    'é\u202e',
    '%',
    'pkg:deb/debian/a@1?arch=%E0%A4%A&x',
    '@',
    ',,,',
    '2, ,3',
    '../..',
  ),
  fc.string(),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
);

type Place = readonly (string | number)[];

/** Where every value of a document is, the document itself first. */
function pathsOf(value: Json, path: Place = []): readonly Place[] {
  if (Array.isArray(value))
    return [path, ...(value as readonly Json[]).flatMap((item, index) => pathsOf(item, [...path, index]))];
  if (typeof value === 'object' && value !== null)
    return [path, ...Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key]))];
  return [path];
}

function at(value: Json, path: Place): Json {
  return path.reduce<Json>((inner, key) => (inner as Record<string | number, Json>)[key] as Json, value);
}

function replace(value: Json, [key, ...rest]: Place, by: Json): Json {
  if (key === undefined) return by;
  const inner = replace((value as Record<string | number, Json>)[key] as Json, rest, by);
  if (!Array.isArray(value)) return { ...(value as Record<string, Json>), [key]: inner };
  return (value as readonly Json[]).map((item, index) => (index === key ? inner : item));
}

/** A list of objects that have one of the fields. */
function isList(value: Json, ...fields: readonly string[]): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    (value as readonly Json[]).every(
      (item) => typeof item === 'object' && item !== null && fields.some((name) => Object.hasOwn(item, name)),
    )
  );
}
