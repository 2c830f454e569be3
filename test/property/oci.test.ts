// Readers and writers of src/oci undo each other, and no input makes them fail in another way than they say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { OnlayError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseJson, serialize } from '../../src/oci/json.ts';
import { makeDescriptor, parseDocument } from '../../src/oci/manifest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { formatTarget, parseTransport } from '../../src/stores/target.ts';

test('what is written as JSON is read as the same, by us and by JSON.parse', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = parseJson(Buffer.from(text), 'test');
      const written = Buffer.from(serialize(value)).toString();
      assert.deepEqual(JSON.parse(written), JSON.parse(text));
      assert.deepEqual(Buffer.from(serialize(parseJson(Buffer.from(written), 'test'))).toString(), written);
    }),
    { numRuns: 300 },
  );
});

test('parseJson() takes nothing that JSON.parse refuses', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"a"',
    '1',
    '-',
    '.5',
    '01',
    'e1',
    'true',
    'nul',
    ' ',
    '\\',
    '\u0001',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('');
      const [ours, theirs] = [
        accepts(() => parseJson(Buffer.from(text), 'test')),
        accepts(() => JSON.parse(text)),
      ];
      // duplicate keys are all that we refuse beyond it
      assert.ok(ours === theirs || (theirs && /comes twice/.test(String(ours))), text);
    }),
    { numRuns: 2000 },
  );
});

function accepts(read: () => unknown): boolean | string {
  try {
    read();
    return true;
  } catch (error) {
    return error instanceof OnlayError && error.message.includes('comes twice') ? error.message : false;
  }
}

const name = fc.array(
  fc.constantFrom(
    'a',
    'b1',
    'A',
    '.',
    '_',
    '-',
    '/',
    ':',
    '@',
    '[::1]',
    'localhost',
    'x.example',
    '5000',
    'sha256',
    'ü',
    ' ',
  ),
  { maxLength: 8 },
);

test('a reference that is read is written so that it is read again as the same', () => {
  fc.assert(
    fc.property(name, (parts) => {
      for (const text of [parts.join(''), `oci:${parts.join('')}`, `docker-archive:${parts.join('')}`]) {
        const target = known(() => parseTransport(text));
        if (!target) continue;
        const again = formatTarget(parseTransport(formatTarget(target)));
        assert.equal(again, formatTarget(target), text);
        if (target.kind === 'registry')
          assert.equal(String(parseReference(String(target.reference))), String(target.reference));
      }
    }),
    { numRuns: 2000 },
  );
});

test('any JSON in the place of a manifest is read or refused with a code', () => {
  const field = fc.constantFrom(
    'schemaVersion',
    'mediaType',
    'config',
    'layers',
    'manifests',
    'digest',
    'size',
    'annotations',
    'Layers',
    '__proto__',
  );
  const value = fc.oneof(
    fc.constantFrom(2, 1, OCI_MANIFEST, `sha256:${'a'.repeat(64)}`, null, {}, []),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.dictionary(field, value), (document) => {
      const bytes = serialize(document);
      const descriptor = makeDescriptor(OCI_MANIFEST, digestOf(bytes), bytes.length);
      known(() => parseDocument({ descriptor, bytes }));
    }),
    { numRuns: 1000 },
  );
});

function known<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof OnlayError, String(error));
    return undefined;
  }
}
