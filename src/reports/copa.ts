// Copacetic's own update manifest, `apiVersion: copa.sh/v1alpha1` (updates) and v1alpha2 (osupdates, langupdates): what
// its scanner plug-ins print.
import { OnlayError } from '../errors.ts';
import { encodeText } from '../base/bytes.ts';
import { array, field, isObject, quoted, text } from './json.ts';
import type { Report, ReportFormat } from './report.ts';

const VERSIONS = ['v1alpha1', 'v1alpha2'];

export const copa: ReportFormat = {
  name: 'copa',
  detect: (document) =>
    isObject(document) && ('updates' in document || 'osupdates' in document) && 'apiVersion' in document,
  parse(document, source): Report {
    const version = text(document, 'apiVersion').replace(/^copa\.sh\//, '');
    if (!VERSIONS.includes(version))
      throw new OnlayError(
        'REPORT_UNSUPPORTED',
        `Report ${source} has apiVersion ${quoted(version)}, known are ${VERSIONS.join(' and ')}`,
      );
    const metadata = field(document, 'metadata');
    const os = field(metadata, 'os');
    const config = field(metadata, 'config');
    const updates = [...array(document, 'updates'), ...array(document, 'osupdates')];
    return {
      format: 'copa',
      source,
      findings: updates.map((update) => {
        const name = text(update, 'name');
        if (name === '')
          throw new OnlayError('REPORT_INVALID', `Report ${source} has an update without a name`);
        const installed = text(update, 'installedVersion');
        const fixed = text(update, 'fixedVersion');
        return {
          id: text(update, 'vulnerabilityID'),
          name: encodeText(name),
          match: 'binary' as const,
          ...(installed === '' ? {} : { installed: encodeText(installed) }),
          fixed: fixed === '' ? [] : [encodeText(fixed)],
        };
      }),
      languageFindings: array(document, 'langupdates').length,
      os: isObject(os) ? { family: text(os, 'type').toLowerCase(), version: text(os, 'version') } : undefined,
      architecture: text(config, 'arch') || undefined,
      variant: text(config, 'variant') || undefined,
      subject: { diffIds: [], configDigest: undefined, manifestDigests: [] },
    };
  },
};
