// Every scanner format, written out, and how a report is read and bound to an image.
import { OnlayError } from '../errors.ts';
import { copa } from './copa.ts';
import { isObject, parseJson, quoted } from './json.ts';
import type { Report, ReportFormat } from './report.ts';
import { trivy } from './trivy.ts';

export const reportFormats: readonly ReportFormat[] = [trivy, copa];

/** Reads a report of any known format. Throws REPORT_INVALID (not JSON, broken) or REPORT_UNSUPPORTED. */
export function parseReport(bytes: Uint8Array, source: string): Report {
  const document = parseJson(bytes, `Report ${source}`);
  const format = reportFormats.find((candidate) => candidate.detect(document));
  if (format) return format.parse(document, source);
  throw new OnlayError('REPORT_UNSUPPORTED', `Report ${source} is of no known format${describe(document)}`, {
    hint: `known are ${reportFormats.map(({ name }) => name).join(', ')}; for Trivy: \`trivy image --format json\``,
  });
}

function describe(document: unknown): string {
  return isObject(document)
    ? ` (its keys: ${Object.keys(document).slice(0, 6).map(quoted).join(', ') || 'none'})`
    : '';
}

export interface ReportSubject {
  readonly diffIds: readonly string[];
  readonly configDigest: string;
  /** Of the manifest, and of the index it came from. */
  readonly manifestDigests: readonly string[];
  readonly architecture: string;
  readonly distroIds: readonly string[];
}

/**
 * Says why a report is about another image; undefined when it is about this one or does not say. The layers decide
 * where the scanner names them, because they are what was scanned.
 */
export function mismatch(report: Report, image: ReportSubject): string | undefined {
  const { diffIds, configDigest, manifestDigests } = report.subject;
  if (diffIds.length > 0) {
    if (
      diffIds.length !== image.diffIds.length ||
      diffIds.some((diffId, index) => diffId !== image.diffIds[index])
    )
      return `its layers (DiffIDs) are other ones`;
  } else if (configDigest !== undefined) {
    if (configDigest !== image.configDigest)
      return `it is about image ID ${configDigest}, this is ${image.configDigest}`;
  } else if (
    manifestDigests.length > 0 &&
    !manifestDigests.some((digest) => image.manifestDigests.includes(digest))
  )
    return `it is about ${manifestDigests.join(', ')}, this is ${image.manifestDigests.join(', ')}`;
  if (report.architecture !== undefined && report.architecture !== image.architecture)
    return `it is about architecture ${report.architecture}, this is ${image.architecture}`;
  if (
    report.os &&
    report.os.family !== '' &&
    image.distroIds.length > 0 &&
    !image.distroIds.includes(family(report.os.family))
  )
    return `it is about ${report.os.family}, this is ${image.distroIds[0]}`;
  return undefined;
}

/** Scanners' names of distros that differ from `ID` of os-release. */
const FAMILY: Readonly<Record<string, string>> = {
  redhat: 'rhel',
  alma: 'almalinux',
  amazon: 'amzn',
  oracle: 'ol',
  azurelinux: 'azurelinux',
  'cbl-mariner': 'mariner',
  'opensuse.leap': 'opensuse-leap',
  'opensuse.tumbleweed': 'opensuse-tumbleweed',
  'suse linux enterprise server': 'sles',
};

function family(name: string): string {
  return FAMILY[name] ?? name;
}

export type { Report, ReportFormat } from './report.ts';
